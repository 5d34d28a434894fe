// One dialogue at one round: what was said, asked and drawn, and what both systems made of it.
"use strict";

// view: set, dialogues, round (its place), dialogue (its place), pair of { system, ranking, texts, row }
function detail(view, chooseRound) {
  const { set, dialogues, round, dialogue, pair } = view;
  const lines = pair.map(({ system, ranking }) => [system, ranking]);
  return [
    make("div", { class: "head" }, target(view), make("div", { class: "verdicts" }, ...pair.map(one => verdict(view, one)))),
    make("section", { class: "chart-box" }, make("h3", {}, "Rank of the target by round"),
      chart(set, lines, dialogue, round, chooseRound)),
    make("section", { class: "turns-box" }, make("h3", {}, "Dialogue"),
      make("ol", { class: "turns" }, ...dialogues.turns[dialogue].map((turn, at) => saidAt(set, turn, at, round, chooseRound)))),
    make("div", { class: "made" }, ...queries(view), ...images(view)),
    ...pair.map(one => topList(view, one)),
  ];
}

function saidAt(set, turn, at, round, chooseRound) {
  const there = set.rounds.includes(at);
  return make("li", {
    class: at > set.rounds[round] ? "later" : at === set.rounds[round] ? "now" : "",
    ...(there ? { click: () => chooseRound(at), title: `show round ${at}` } : {}),
  }, make("span", { class: "number" }, at), make("span", {}, turn));
}

function target({ dialogues, dialogue }) {
  const key = dialogues.targets[dialogue];
  return make("figure", { class: "target-box" }, framed(dialogues, key, key),
    make("figcaption", {}, "target ", make("span", { class: "name" }, ...breakable(dialogues.keys[key]))));
}

function framed(dialogues, key, targetKey) {
  const frame = make("div", { class: key === targetKey ? "frame target" : "frame", "data-key": dialogues.keys[key] });
  frame.append(picture(dialogues.pictures.candidates[key], dialogues.keys[key]));
  return frame;
}

function verdict({ set, pair }, one) {
  const { system, row, seed } = one, own = one === pair[0], other = pair[own ? 1 : 0];
  const gain = logGain(row.rank, other.row.rank);
  const facts = [
    [`of ${whole(set.candidates)}`, null],
    row.ties ? [`${whole(row.ties)} tied`, "candidates that score as much as the target"] : null,
    [`score ${decimal(row.score)}`, null],
    row.gate === null ? null : [`gate ${decimal(row.gate, 3)}`, "weight of the text"],
    row.similarity === null ? null : [`similarity ${decimal(row.similarity, 3)}`, "cosine between text and generated images"],
  ].filter(Boolean);
  return make("section", { class: "verdict", "data-system": system.name },
    make("h3", {}, chip(system, !own), name(system.name), system.seeds.length > 1 ? make("small", {}, ` seed ${seed}`) : null),
    make("p", { class: "rank" }, make("span", { class: "number" }, whole(row.rank)),
      own ? make("span", { class: `gain ${kindOf(gain)}`, title: `log gain against ${other.system.name}` },
        gain === 0 ? "the same" : `${signed(gain.toFixed(2), gain)} log gain`) : null),
    make("p", { class: "facts" }, ...facts.map(([text, title]) => make("span", { title }, text))));
}

// Group what both systems share: the same reformulator, or the same images.
function shared(pair, part) {
  const groups = new Map();
  for (const one of pair) {
    const key = one.system[part];
    if (key !== null) groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return [...groups.values()];
}

function whose(group) {
  return make("small", {}, ` of ${listed([...new Set(group.map(one => one.system.name))])}`);
}

function queries({ pair, round }) {
  const groups = shared(pair, "queries");
  if (!groups.length) return [make("section", {}, make("h3", {}, "Query text"), make("p", { class: "note" }, "An oracle has none of its own."))];
  return groups.map(group => {
    const { system, texts } = group[0], query = texts.query(round);
    const prompts = [...new Set(texts.prompts(round))].filter(prompt => prompt !== query);
    const isDrawn = group.some(one => one.system.pictures !== null);
    return make("section", { class: "query", "data-queries": system.queries },
      make("h3", {}, "Query text ", name(system.queries), whose(group)),
      make("blockquote", {}, query),
      isDrawn || !prompts.length ? null : make("details", {}, make("summary", {}, "prompts"),
        make("ul", {}, ...prompts.map(prompt => make("li", {}, prompt)))));
  });
}

function images(view) {
  return shared(view.pair, "pictures").map(group => {
    const { system, texts } = group[0], prompts = texts.prompts(view.round);
    const stored = view.dialogues.pictures.drawn[system.pictures]?.[view.dialogue]?.[view.round];
    const figures = Array.from({ length: system.drawn }, (_, k) => {
      const [file, published] = stored?.[k] ?? [null, null];
      const blind = group.filter(one => one.system.looksAt !== null && k >= one.system.looksAt);
      const caption = published ?? prompts[k] ?? `image ${k + 1}`;
      const names = listed([...new Set(blind.map(one => one.system.name))]);
      return make("figure", { class: blind.length === group.length ? "unseen" : "" },
        make("div", { class: "frame" }, picture(file, `image ${k + 1}`)),
        make("figcaption", {}, caption, blind.length ? make("em", {}, ` (not looked at by ${names})`) : null));
    });
    return make("section", { class: "drawn", "data-pictures": system.pictures },
      make("h3", {}, "Generated images ", name(system.pictures.split(".")[0]), whose(group)),
      make("div", { class: "strip" }, ...figures));
  });
}

function topList({ dialogues, dialogue, pair }, one) {
  const { system, row, seed } = one, targetKey = dialogues.targets[dialogue];
  const found = row.top.map(({ key, score }, at) => candidate(dialogues, key, targetKey, score, at + 1));
  if (!row.top.some(one => one.key === targetKey))
    found.push(make("li", { class: "gap", "aria-hidden": "true" }, "…"), candidate(dialogues, targetKey, targetKey, row.score, row.rank));
  return make("section", { class: "top-box", "data-system": system.name },
    make("h3", {}, chip(system, one === pair[1]), "First candidates ", name(system.name),
      system.seeds.length > 1 ? make("small", {}, ` seed ${seed}`) : null),
    make("ol", { class: "top" }, ...found));
}

function candidate(dialogues, key, targetKey, score, rank) {
  const light = on => () => {
    for (const frame of document.querySelectorAll("#detail .frame[data-key]"))
      frame.classList.toggle("alike", on && frame.dataset.key === dialogues.keys[key]);
  };
  return make("li", { "data-rank": rank, mouseenter: light(true), mouseleave: light(false) },
    framed(dialogues, key, targetKey),
    make("div", { class: "score" }, make("b", {}, whole(rank)), make("span", {}, decimal(score))));
}
