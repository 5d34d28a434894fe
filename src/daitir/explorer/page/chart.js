// Ranks of the target over the rounds as two lines; the axis is logarithmic, rank 1 is at the top.
"use strict";

const CHART = { width: 450, height: 232, left: 50, right: 100, top: 14, bottom: 40 };
const APART = 15; // pixels between two labels

function scales(set, most) {
  const { width, height, left, right, top, bottom } = CHART;
  const step = (width - left - right) / Math.max(1, set.rounds.length - 1);
  const end = Math.log10(Math.max(10, most));
  return {
    step,
    x: round => left + round * step,
    y: rank => top + (Math.log10(rank) / end) * (height - top - bottom),
    ticks: [1, 10, 100, 1000, 10000, 100000, 1000000].filter(rank => Math.log10(rank) <= end + 1e-9),
  };
}

function axes(set, { x, y, ticks }) {
  const { width, height, left, right, bottom } = CHART;
  const lines = ticks.map(rank => [
    draw("line", { class: "grid", x1: left - 6, x2: width - right + 6, y1: y(rank), y2: y(rank) }),
    draw("text", { class: "tick", x: left - 11, y: y(rank) + 4, "text-anchor": "end" }, whole(rank)),
  ]);
  const every = Math.ceil(set.rounds.length / 12);
  const rounds = set.rounds.map((round, at) => at % every ? null :
    draw("text", { class: "tick", x: x(at), y: height - bottom + 19, "text-anchor": "middle" }, round));
  const title = draw("text", { class: "tick", x: (left + width - right) / 2, y: height - 5, "text-anchor": "middle" }, "round");
  return [...lines.flat(), ...rounds, title];
}

function line(system, ranking, dialogue, set, { x, y }, dashed) {
  const ranks = set.rounds.map((_, round) => ranking.rank(dialogue, round));
  const path = ranks.map((rank, round) => `${round ? "L" : "M"}${x(round).toFixed(1)} ${y(rank).toFixed(1)}`);
  const marks = ranks.map((rank, round) => {
    return draw("circle", { class: "mark", cx: x(round), cy: y(rank), r: 3.6, "data-rank": rank });
  });
  const group = draw("g", { class: dashed ? "other" : "own", "data-system": system.name },
    draw("path", { d: path.join(""), class: "line" }), ...marks);
  if (!dashed) group.style.color = system.colour;
  return group;
}

// Return the heights of the two labels: at their lines' ends, moved apart if they would touch.
function apart(own, other) {
  const short = APART - Math.abs(own - other);
  if (short <= 0) return [own, other];
  const first = own <= other;
  const middle = Math.max(CHART.top + APART / 2, Math.min((own + other) / 2, CHART.height - CHART.bottom - APART / 2));
  return first ? [middle - APART / 2, middle + APART / 2] : [middle + APART / 2, middle - APART / 2];
}

function shortened(text) {
  return text.length > 13 ? `${text.slice(0, 12)}…` : text;
}

function chart(set, pair, dialogue, round, choose) {
  const most = Math.max(...pair.flatMap(([, ranking]) => set.rounds.map((_, at) => ranking.rank(dialogue, at))));
  const scale = scales(set, most), last = set.rounds.length - 1;
  const heights = apart(...pair.map(([, ranking]) => scale.y(ranking.rank(dialogue, last))));
  const labels = pair.map(([system, ranking], at) => {
    const twice = pair[0][0] === pair[1][0] ? ` ${ranking.seed}` : "";
    return draw("text", { class: "label", x: scale.x(last) + 11, y: heights[at] + 4 }, shortened(`${system.name}${twice}`));
  });
  const wide = Math.min(scale.step, 40);
  const columns = set.rounds.map((number, at) => draw("rect", {
    class: at === round ? "column now" : "column", "data-round": number, x: scale.x(at) - wide / 2, y: CHART.top - 8,
    width: wide, height: CHART.height - CHART.top - CHART.bottom + 16, click: () => choose(number),
  }, draw("title", {}, `round ${number}: ${pair.map(([system, ranking]) =>
    `${system.name} ${whole(ranking.rank(dialogue, at))}`).join(", ")}`)));
  const said = pair.map(([system, ranking]) => `${system.name} ${set.rounds.map((_, at) => ranking.rank(dialogue, at)).join(", ")}`);
  return draw("svg", {
    class: "chart", viewBox: `0 0 ${CHART.width} ${CHART.height}`, role: "img",
    "aria-label": `rank of the target over the rounds: ${said.join("; ")}`,
  }, ...columns, ...axes(set, scale),
  ...pair.map(([system, ranking], at) => line(system, ranking, dialogue, set, scale, at === 1)).reverse(), ...labels);
}
