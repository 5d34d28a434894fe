// Tables sort by a click on a heading; a click on a rank shows that round of a dialogue.
for (const heading of document.querySelectorAll("table.sortable th")) {
  heading.tabIndex = 0;
  const sort = () => {
    const table = heading.closest("table"), column = heading.cellIndex;
    const down = heading.getAttribute("aria-sort") === "descending";
    const value = row => {
      const cell = row.cells[column];
      return cell.dataset.v === undefined ? cell.textContent.trim() : Number(cell.dataset.v);
    };
    const rows = [...table.tBodies[0].rows].sort((a, b) => {
      const [x, y] = [value(a), value(b)];
      return (typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y))) * (down ? 1 : -1);
    });
    for (const other of heading.parentElement.cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", down ? "ascending" : "descending");
    table.tBodies[0].append(...rows);
  };
  heading.addEventListener("click", sort);
  heading.addEventListener("keydown", event => { if (event.key === "Enter") sort(); });
}
for (const button of document.querySelectorAll("button[data-round]")) {
  button.addEventListener("click", () => {
    const example = button.closest(".example");
    for (const moment of example.querySelectorAll(".moment")) moment.hidden = moment.dataset.round !== button.dataset.round;
    for (const other of example.querySelectorAll("button[data-round]"))
      other.setAttribute("aria-pressed", other.dataset.round === button.dataset.round);
  });
}
const switches = document.querySelectorAll("input.pixels");
for (const box of switches) box.addEventListener("change", () => {
  document.body.classList.toggle("pixels", box.checked);
  for (const other of switches) other.checked = box.checked;
});
