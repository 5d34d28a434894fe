// The page: reads the address, loads what it asks for, shows it; what is chosen goes back into the address.
"use strict";

let index, state, list, shown;
let turn = 0; // counts what was asked for: an answer that comes late is not shown

function setOf(name) {
  return index.sets.find(set => set.name === name);
}

function systemOf(set, name) {
  return set.systems.find(system => system.name === name);
}

// Go to another state. A step leaves an entry in the history; what is typed does not.
function go(change, leavesEntry = true) {
  const next = readState(writeState({ ...state, ...change }), index);
  const address = writeState(next);
  if (address !== location.hash) history[leavesEntry ? "pushState" : "replaceState"](null, "", address);
  show();
}

async function show() {
  const own = ++turn;
  state = readState(location.hash, index);
  try {
    const set = setOf(state.set), round = set.rounds.indexOf(Number(state.round));
    const pair = [[state.a, state.aSeed], [state.b, state.bSeed]].map(([name, seed]) => ({ system: systemOf(set, name), seed }));
    const [dialogues, ...rankings] = await Promise.all([
      loadDialogues(set), ...pair.map(one => loadRanking(index, set, one.system, one.seed))]);
    const places = inOrder(state, set, dialogues, ...rankings);
    const asked = dialogues.place.get(state.dialogue), dialogue = asked ?? places[0];
    const texts = dialogue === undefined ? [] :
      await Promise.all(pair.map(one => loadTexts(index, set, one.system.queries, dialogue)));
    if (own !== turn) return;
    if (dialogue !== undefined) state.dialogue = dialogues.ids[dialogue];
    history.replaceState(null, "", writeState(state));
    pair.forEach((one, at) => Object.assign(one, { ranking: rankings[at], texts: texts[at] }));
    shown = { set, dialogues, round, pair, places, dialogue };
    showControls();
    showList();
    showDetail();
    byId("fault").hidden = true;
  } catch (fault) {
    if (own !== turn) return;
    byId("fault").textContent = fault.message;
    byId("fault").hidden = false;
  }
  document.body.dataset.turn = own;
}

function showControls() {
  const { set, pair } = shown;
  options(byId("set"), index.sets.map(one => [one.name, `${one.name} (${whole(one.dialogues)})`]), set.name);
  for (const [at, id] of ["a", "b"].entries()) {
    options(byId(id), set.systems.map(system => [system.name, system.name]), pair[at].system.name);
    options(byId(`${id}-seed`), pair[at].system.seeds.map(seed => [seed, seed]), pair[at].seed);
    byId(`${id}-seed`).parentElement.hidden = pair[at].system.seeds.length < 2;
  }
  const inRounds = byId("rounds").contains(document.activeElement);
  byId("rounds").replaceChildren(...set.rounds.map(round => make("button", {
    type: "button", "data-round": round, "aria-pressed": String(String(round) === state.round),
    click: () => go({ round }),
  }, round)));
  if (inRounds) byId("rounds").querySelector("[aria-pressed=true]").focus();
  options(byId("sort"), Object.entries(ORDERS), state.sort);
  byId("pictured").checked = state.pictured;
  byId("pictured-count").textContent = whole(set.pictured.length);
  if (document.activeElement !== byId("find")) byId("find").value = state.find;
}

function showList() {
  const { set, pair, places, round, dialogues, dialogue } = shown, [own, other] = pair.map(one => one.ranking);
  const counts = tally(set, own, other, round);
  byId("tally").replaceChildren(name(pair[0].system.name), " ranks ", make("b", { class: "better" }, whole(counts.better)), " better, ",
    make("b", { class: "worse" }, whole(counts.worse)), ` worse and ${whole(counts.same)} the same against `, name(pair[1].system.name), ` at round ${state.round}`,
    ...(places.length < set.dialogues ? [`; ${whole(places.length)} of ${whole(set.dialogues)} listed`] : []));
  const pictured = new Set(set.pictured);
  list.set(places, dialogue, place => {
    const ranks = [own.rank(place, round), other.rank(place, round)], gain = logGain(...ranks), difference = ranks[1] - ranks[0];
    const value = ["climb", "drop"].includes(state.sort) ? signed(whole(difference), difference) : signed(gain.toFixed(2), gain);
    return [
      make("span", { class: "caption" }, dialogues.turns[place][0]), make("span", { class: `gain ${kindOf(gain)}` }, value),
      make("span", { class: "id" }, pictured.has(place) ? make("i", { class: "dot", title: "with pictures" }) : null, dialogues.ids[place]),
      make("span", { class: "ranks", title: `rank with ${pair[1].system.name} → rank with ${pair[0].system.name}` }, `${whole(ranks[1])} → ${whole(ranks[0])}`),
    ];
  });
}

function showDetail() {
  const { set, dialogues, dialogue, round, pair } = shown;
  if (dialogue === undefined) {
    byId("detail").replaceChildren(make("p", { class: "note" }, "No dialogue of this set has all that is looked for."));
    return;
  }
  for (const one of pair) one.row = one.ranking.row(dialogue, round);
  byId("detail").replaceChildren(make("h2", {}, make("span", { class: "name" }, dialogues.ids[dialogue]),
    make("span", { class: "where" }, `${set.name}, round ${state.round}`)), ...detail(shown, round => go({ round })));
  document.title = `${dialogues.ids[dialogue]} · daitir explorer`;
}

function step(by) {
  const { places, dialogues, dialogue } = shown, at = places.indexOf(dialogue);
  const to = Math.max(0, Math.min(places.length - 1, at < 0 ? 0 : at + by));
  if (places.length && places[to] !== dialogue) go({ dialogue: dialogues.ids[places[to]] });
}

function stepRound(by) {
  const round = shown.set.rounds[shown.round + by];
  if (round !== undefined) go({ round });
}

const swap = () => go({ a: state.b, aSeed: state.bSeed, b: state.a, bSeed: state.aSeed });
const KEYS = {
  j: () => step(1), ArrowDown: () => step(1), k: () => step(-1), ArrowUp: () => step(-1),
  Home: () => step(-Infinity), End: () => step(Infinity), ArrowLeft: () => stepRound(-1), ArrowRight: () => stepRound(1),
  s: swap, o: () => go({ sort: OPPOSITE[state.sort] }), p: () => go({ pictured: !state.pictured }),
  "/": () => byId("find").focus(), "?": () => byId("words").showModal(),
};

function listen() {
  const chosen = { set: "set", a: "a", b: "b", sort: "sort", "a-seed": "aSeed", "b-seed": "bSeed" };
  for (const [id, key] of Object.entries(chosen)) byId(id).addEventListener("change", event => go({ [key]: event.target.value }));
  byId("controls").addEventListener("submit", event => event.preventDefault());
  byId("swap").addEventListener("click", swap);
  byId("pictured").addEventListener("change", event => go({ pictured: event.target.checked }));
  byId("find").addEventListener("input", event => go({ find: event.target.value }, false));
  byId("help").addEventListener("click", KEYS["?"]);
  addEventListener("popstate", show);
  addEventListener("keydown", event => {
    const inside = event.target.closest("input, select");
    if (inside && ["Escape", "Enter"].includes(event.key)) inside.blur();
    if (inside || event.ctrlKey || event.metaKey || event.altKey || byId("words").open || !shown || !KEYS[event.key]) return;
    event.preventDefault();
    KEYS[event.key]();
  });
}

async function open() {
  index = await load("index");
  list = new List(byId("list"), byId("rows"), place => go({ dialogue: shown.dialogues.ids[place] }));
  listen();
  await show();
}

open().catch(fault => {
  byId("fault").textContent = fault.message;
  byId("fault").hidden = false;
});
