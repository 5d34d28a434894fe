// Small parts of the page. Data becomes text nodes and attributes, never markup.
"use strict";

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter(child => child !== null && child !== undefined));
  return element;
}

function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function draw(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function byId(id) {
  return document.getElementById(id);
}

function whole(number) {
  return number.toLocaleString("en");
}

function decimal(number, digits = 4) {
  return number === null ? "–" : number.toFixed(digits).replace("-", "\u2212");
}

function signed(text, number) {
  return number > 0 ? `+${text}` : text.replace("-", "\u2212");
}

function kindOf(gain) {
  return gain > 0 ? "better" : gain < 0 ? "worse" : "same";
}

function listed(words) {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

function name(text) {
  return make("span", { class: "name" }, text);
}

// The system has the colour that it has in the report, what it is held against that of the ink.
function chip(system, isOther) {
  const dot = make("i", { class: isOther ? "chip other" : "chip" });
  if (!isOther) dot.style.background = system.colour;
  return dot;
}

// A name that may be broken behind its folders and before its ending.
function breakable(text) {
  return text.split(/(?<=[/_])|(?=\.\w+$)/).flatMap((part, at) => at ? [make("wbr"), part] : [part]);
}

// A thumbnail, or where there is none a box with the name of the picture.
function picture(file, text) {
  if (!file) return make("div", { class: "nothing", title: text }, make("span", {}, ...breakable(text)));
  const image = make("img", { src: `pictures/${file}`, alt: text, title: text, decoding: "async" });
  image.addEventListener("load", () => image.classList.toggle("tiny", image.naturalWidth <= 64));
  return image;
}

function options(select, values, chosen) {
  const wanted = values.map(([value, text]) => make("option", { value }, text));
  select.replaceChildren(...wanted);
  select.value = chosen;
}
