// What is chosen: all of it stands in the address, so that the back button and a kept link lead to it again.
"use strict";

const ORDERS = {
  gain: "log gain, gains first",
  loss: "log gain, losses first",
  climb: "rank difference, gains first",
  drop: "rank difference, losses first",
  id: "dialogue id",
};
const OPPOSITE = { gain: "loss", loss: "gain", climb: "drop", drop: "climb", id: "gain" };

function known(values, wanted, otherwise) {
  return values.includes(wanted) ? wanted : otherwise;
}

// Return the state that an address asks for; what is missing or unknown is what the page opens with.
function readState(hash, index) {
  const asked = new URLSearchParams(hash.replace(/^#/, ""));
  const set = index.sets.find(one => one.name === asked.get("set")) ?? index.sets[0];
  const names = set.systems.map(system => system.name);
  const a = known(names, asked.get("system"), set.pair[0]);
  const own = set.systems.find(system => system.name === a).baseline;
  const b = known(names, asked.get("against"), a === set.pair[0] ? set.pair[1] : own ?? set.pair[1]);
  return {
    set: set.name,
    a,
    aSeed: seedOf(set, a, asked.get("seed")),
    b,
    bSeed: seedOf(set, b, asked.get("against-seed")),
    round: known(set.rounds.map(String), asked.get("round"), String(set.rounds.at(-1))),
    sort: known(Object.keys(ORDERS), asked.get("sort"), "gain"),
    find: asked.get("find") ?? "",
    pictured: asked.get("pictures") === "only",
    dialogue: asked.get("dialogue") ?? "",
  };
}

function seedOf(set, system, asked) {
  const seeds = set.systems.find(one => one.name === system).seeds.map(String);
  return known(seeds, asked, seeds[0]);
}

function writeState(state) {
  const said = {
    set: state.set, system: state.a, seed: state.aSeed, against: state.b, "against-seed": state.bSeed,
    round: state.round, sort: state.sort, find: state.find, pictures: state.pictured ? "only" : "",
    dialogue: state.dialogue,
  };
  return `#${new URLSearchParams(Object.entries(said).filter(([, value]) => value !== ""))}`;
}
