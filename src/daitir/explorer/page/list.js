// The list of dialogues: put in order, searched, and only as many rows made as are seen.
"use strict";

const ROW = 52; // pixels, as in style.css
const AROUND = 8; // rows made above and below what is seen

function logGain(own, other) {
  return Math.log(other / own);
}

const orders = { asked: null, places: [] }; // the last one: it is the same for every dialogue that is looked at

// Return the places of the dialogues to list, in order: put in order again only if it was asked for another way.
function inOrder(state, set, dialogues, own, other) {
  const asked = JSON.stringify({ ...state, dialogue: "" });
  if (orders.asked !== asked) Object.assign(orders, { asked, places: ordered(state, set, dialogues, own, other) });
  return orders.places;
}

// Return the places of the dialogues to list, in order; equals stay in the order of their ids.
function ordered(state, set, dialogues, own, other) {
  const round = set.rounds.indexOf(Number(state.round));
  const pictured = new Set(set.pictured), words = state.find.toLowerCase().split(/\s+/).filter(Boolean);
  const places = dialogues.ids.map((_, place) => place).filter(place =>
    (!state.pictured || pictured.has(place)) && words.every(word => dialogues.words[place].includes(word)));
  const ranks = places => [own.rank(places, round), other.rank(places, round)];
  const goodness = {
    gain: place => logGain(...ranks(place)),
    loss: place => -logGain(...ranks(place)),
    climb: place => other.rank(place, round) - own.rank(place, round),
    drop: place => own.rank(place, round) - other.rank(place, round),
  }[state.sort];
  if (!goodness) return places;
  const value = new Map(places.map(place => [place, Number(goodness(place).toFixed(9))]));
  return places.sort((one, next) => value.get(next) - value.get(one) || one - next);
}

function tally(set, own, other, round) {
  const counts = { better: 0, worse: 0, same: 0 };
  for (let place = 0; place < set.dialogues; place++)
    counts[kindOf(other.rank(place, round) - own.rank(place, round))]++;
  return counts;
}

class List {
  constructor(box, rows, choose) {
    Object.assign(this, { box, rows, choose, places: [], chosen: null, row: () => null });
    box.addEventListener("scroll", () => this.show(), { passive: true });
    new ResizeObserver(() => this.show()).observe(box);
  }

  set(places, chosen, row) {
    Object.assign(this, { places, chosen, row });
    this.rows.style.height = `${places.length * ROW}px`;
    this.rows.replaceChildren();
    this.reveal();
    this.show();
  }

  // Scroll as little as shows the chosen row.
  reveal() {
    const top = this.places.indexOf(this.chosen) * ROW, { scrollTop, clientHeight } = this.box;
    if (top < 0) return;
    if (top < scrollTop) this.box.scrollTop = top;
    else if (top + ROW > scrollTop + clientHeight) this.box.scrollTop = top + ROW - clientHeight;
  }

  show() {
    const { scrollTop, clientHeight } = this.box;
    const first = Math.max(0, Math.floor(scrollTop / ROW) - AROUND);
    const last = Math.min(this.places.length, Math.ceil((scrollTop + clientHeight) / ROW) + AROUND);
    const wanted = new Map(this.places.slice(first, last).map((place, at) => [place, first + at]));
    for (const row of [...this.rows.children])
      if (!wanted.delete(Number(row.dataset.place))) row.remove();
    for (const [place, at] of wanted) this.rows.append(this.make(place, at));
    const chosen = this.rows.querySelector('[aria-selected="true"]');
    if (chosen) this.box.setAttribute("aria-activedescendant", chosen.id);
    else this.box.removeAttribute("aria-activedescendant");
  }

  make(place, at) {
    const row = make("div", {
      class: "row", role: "option", id: `row-${place}`, "data-place": place, "aria-selected": String(place === this.chosen),
      "aria-posinset": at + 1, "aria-setsize": this.places.length, click: () => this.choose(place),
    }, ...this.row(place));
    row.style.top = `${at * ROW}px`;
    return row;
  }
}
