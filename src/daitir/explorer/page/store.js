// The data: scripts that call take(name, value), loaded when they are looked at. A page that was opened from
// a disk may load scripts and pictures; it may read no other file.
"use strict";

const TYPES = { uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array, int16: Int16Array, int32: Int32Array };
const LOWEST = { int16: -32768, int32: -2147483648 }; // stands for a value that is absent
const files = new Map(); // name -> promise of its value
const waiting = new Map(); // name -> how its promise is kept
const kept = new Map(); // name -> promise of what was unpacked

function take(name, value) {
  waiting.get(name)(value);
}

function load(name) {
  if (!files.has(name)) {
    files.set(name, new Promise((resolve, reject) => {
      const script = document.createElement("script");
      const fail = () => {
        files.delete(name);
        reject(new Error(`data/${name}.js cannot be read: is the folder of the explorer whole?`));
      };
      waiting.set(name, resolve);
      script.src = `data/${name}.js`;
      script.addEventListener("load", fail); // comes after take(), and does nothing then
      script.addEventListener("error", fail);
      document.head.append(script);
    }));
    files.get(name).then(() => waiting.delete(name), () => waiting.delete(name));
  }
  return files.get(name);
}

function once(name, make) {
  if (!kept.has(name)) {
    kept.set(name, make());
    kept.get(name).catch(() => kept.delete(name));
  }
  return kept.get(name);
}

async function unpack(text) {
  const letters = atob(text), bytes = new Uint8Array(letters.length);
  for (let place = 0; place < letters.length; place++) bytes[place] = letters.charCodeAt(place);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

async function unpackText(text) {
  return JSON.parse(new TextDecoder().decode(await unpack(text)));
}

async function unpackNumbers(packed) {
  return packed && new TYPES[packed.type](await unpack(packed.data));
}

// One system's ranks with one seed; a row is a dialogue at a round, both by their places.
class Ranking {
  constructor(seed, arrays, packed, rounds, scale) {
    Object.assign(this, { seed, arrays, types: packed, rounds, scale, places: packed.places });
  }

  rank(dialogue, round) {
    return this.arrays.rank[dialogue * this.rounds + round];
  }

  value(name, place) {
    const value = this.arrays[name]?.[place];
    return value === undefined || value === LOWEST[this.types[name].type] ? null : value / this.scale;
  }

  row(dialogue, round) {
    const place = dialogue * this.rounds + round, top = [];
    for (let at = place * this.places; at < (place + 1) * this.places; at++) {
      const key = this.arrays.top[at] - 1;
      if (key >= 0) top.push({ key, score: this.value("score", at) });
    }
    return {
      rank: this.arrays.rank[place], ties: this.arrays.ties[place], score: this.value("target", place),
      gate: this.value("gate", place), similarity: this.value("similarity", place), top,
    };
  }
}

function loadRanking(index, set, system, seed) {
  const name = `${set.name}/ranks/${system.name}.seed-${seed}`;
  return once(name, async () => {
    const packed = await load(name), arrays = {};
    for (const part of ["rank", "ties", "target", "top", "score", "gate", "similarity"])
      arrays[part] = await unpackNumbers(packed[part]);
    files.delete(name); // what is unpacked is kept, not both
    return new Ranking(seed, arrays, packed, set.rounds.length, index.scale);
  });
}

function loadDialogues(set) {
  return once(`${set.name}/dialogues`, async () => {
    const names = [`${set.name}/dialogues`, `${set.name}/pictures`];
    const [dialogues, pictures] = await Promise.all(names.map(async name => unpackText(await load(name))));
    dialogues.place = new Map(dialogues.ids.map((id, place) => [id, place]));
    dialogues.words = dialogues.ids.map((id, place) =>
      [id, dialogues.keys[dialogues.targets[place]], ...dialogues.turns[place]].join("\n").toLowerCase());
    return { ...dialogues, pictures };
  });
}

// Query text and prompts of a dialogue at all its rounds; null for a system that has none of its own.
async function loadTexts(index, set, reformulator, dialogue) {
  if (reformulator === null) return null;
  const name = `${set.name}/queries/${reformulator}.${Math.floor(dialogue / index.chunk)}`;
  const chunk = await once(name, async () => unpackText(await load(name)));
  const own = dialogue % index.chunk;
  return {
    query: round => chunk.strings[chunk.query[own][round]],
    prompts: round => chunk.prompts[own][round].map(number => chunk.strings[number]),
  };
}
