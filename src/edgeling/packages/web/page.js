// SPDX-License-Identifier: Apache-2.0
"use strict";

const model = JSON.parse(document.getElementById("model").textContent);
const form = document.getElementById("row");
const output = document.getElementById("answer");
const PAGE = 65536, DAY = 864e5, MINUTE = 6e4, MOST_BARS = 12;
const VIEWS = { float: Float32Array, int32_t: Int32Array, uint32_t: Uint32Array, int16_t: Int16Array, int8_t: Int8Array };

/* ---------------------------------------------------------------- the network */

// Memory behind what the module uses itself: weights, arena, and a buffer for each port.
function place(instance) {
  const ports = [...model.inputs, ...model.outputs, ...model.reasons];
  const sizes = [model.weights, model.arena, ...ports.map((port) => 4 * port.size)];
  const ends = [];
  let total = 0;
  for (const size of sizes) ends.push((total += Math.ceil(size / 16) * 16));
  const start = instance.exports.memory.grow(Math.ceil(total / PAGE) + 1) * PAGE;
  return [0, ...ends.slice(0, -1)].map((offset) => start + offset);
}

function network(instance) {
  const exports = instance.exports;
  const [weights, arena, ...places] = place(instance);
  const owned = [...(model.takesWeights ? [weights] : []), ...(model.takesArena ? [arena] : [])];
  const count = model.inputs.length, outputs = count + model.outputs.length;
  const view = (at, port) => new VIEWS[port.type](exports.memory.buffer, places[at], port.size);
  if (model.start) exports[model.start](weights);

  // Of a row of numbers: the class or status, answers by port, what each column adds.
  return (values) => {
    let at = 0;
    model.inputs.forEach((port, i) => {
      view(i, port).set(values.slice(at, at + port.size));
      at += port.size;
    });
    const found = { attributions: null };
    if (model.reasons.length) {
      const whyOwned = model.whyTakesArena ? [arena] : [];
      exports[model.why](...whyOwned, ...places);
      found.attributions = Array.from(view(outputs, model.reasons[0]));
    }
    const status = exports[model.run](...owned, ...places.slice(0, outputs));
    found.chosen = model.decides ? status : status === 0 ? 0 : -1;
    found.answers = model.outputs.map((port, i) => Array.from(view(count + i, port)));
    return found;
  };
}

/* ---------------------------------------------------------------- the form */

const KINDS = { days: "date", minutes: "datetime-local", time: "time", number: "number" };

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function field(column) {
  if (column.held !== "category") {
    const input = element("input", { type: KINDS[column.held], value: column.typical });
    input.step = column.held === "time" ? 1 : "any";
    return input;
  }
  const options = column.categories.map((text, i) => element("option", { value: i }, text));
  options.push(element("option", { value: -1 }, column.hasOthers ? "any other, or not known" : "not known"));
  return element("select", {}, ...options);
}

function fill() {
  const asked = new URLSearchParams(location.hash.slice(1));
  model.columns.forEach((column, i) => {
    if (!asked.has(column.name)) return;
    const text = asked.get(column.name);
    const at = column.held === "category" ? column.categories.indexOf(text) : text;
    fields[i].value = at;
  });
}

// A column's number; NaN for what is not known, null for what is no number.
function numberOf(column, input) {
  if (column.held === "category") return Number(input.value);
  const text = input.value.trim();
  if (text === "") return input.validity.badInput ? null : NaN;
  if (column.held === "days") return Date.parse(`${text}T00:00Z`) / DAY - column.epochDays;
  if (column.held === "minutes") return Math.floor(Date.parse(`${text}Z`) / MINUTE) - column.epochDays * 1440;
  if (column.held === "time") {
    const [hour, minute, second] = text.split(":").map(Number);
    return hour * 3600 + minute * 60 + (second || 0);
  }
  const number = Math.fround(Number(text));
  return Number.isFinite(number) ? number : null;
}

// The row, or a sentence about what is wrong with it.
function row() {
  const values = model.columns.map((column, i) => numberOf(column, fields[i]));
  const wrong = values.map((value, i) =>
    value === null || (Number.isNaN(value) && !model.columns[i].mayBeMissing && model.columns[i].held !== "category"));
  fields.forEach((input, i) => input.parentElement.classList.toggle("wrong", wrong[i]));
  const first = wrong.indexOf(true);
  if (first < 0) return values;
  return `${model.columns[first].name} needs a value: ${model.columns[first].sentence}`;
}

function numbers() {
  const values = fields[0].value.split(/[\s,;]+/).filter(Boolean).map(Number);
  const right = values.length === model.size && values.every(Number.isFinite);
  return right ? values : `${model.size} numbers are needed; here are ${values.length}`;
}

/* ---------------------------------------------------------------- the answer */

const shown = (number) => String(Number(number.toPrecision(7)));

function bar(name, share, text, less) {
  const strip = element("i", { className: less ? "less" : "" });
  strip.style.width = `${100 * Math.min(1, Math.max(0, share))}%`;
  return element("div", { className: "bar" }, element("span", {}, name), element("div", {}, strip),
    element("b", {}, text));
}

function show(found) {
  const [first] = found.answers;
  const right = found.chosen >= 0 && found.answers.flat().every(Number.isFinite);
  if (!right) return say("problem", "There is no answer: a value is too large.");
  const shares = !model.decides ? [] : model.labels.length === 2 && first.length === 1
    ? [Math.fround(1 - first[0]), first[0]] : first;
  document.getElementById("shares").replaceChildren(
    ...shares.map((share, i) => bar(model.labels[i], share, `${(100 * share).toFixed(2)} %`)));
  reasons(found.attributions);
  output.dataset.values = JSON.stringify(model.decides ? shares : found.answers);
  const told = found.answers.map((answer, i) =>
    (found.answers.length > 1 ? `${model.outputs[i].name}: ` : "") + answer.map(shown).join(", ")).join("; ");
  say("answer", model.decides ? model.labels[found.chosen] : told);
}

function reasons(attributions) {
  const box = document.getElementById("reasons");
  box.replaceChildren();
  if (!attributions) return;
  output.dataset.attributions = JSON.stringify(attributions);
  const order = attributions.map((_, i) => i).sort((a, b) => Math.abs(attributions[b]) - Math.abs(attributions[a]));
  const most = Math.abs(attributions[order[0]]) || 1;
  box.append(element("h2", {}, "What each column adds to it"), ...order.slice(0, MOST_BARS).map((i) =>
    bar(model.columns[i].name, Math.abs(attributions[i]) / most, attributions[i].toPrecision(3), attributions[i] < 0)));
}

function say(state, text) {
  if (state !== "answer") {
    for (const id of ["shares", "reasons"]) document.getElementById(id).replaceChildren();
    delete output.dataset.values;
  }
  output.textContent = text;
  output.dataset.state = state;
}

/* ---------------------------------------------------------------- beginning */

const fields = model.columns.length ? model.columns.map(field) : [element("textarea", { value: model.usual })];
const names = model.columns.length ? model.columns.map((column) => column.name) : [`${model.size} numbers, in order`];
form.append(...fields.map((input, i) => element("label", {}, names[i], input)));
const button = model.keeps ? element("button", { type: "submit" }, "Next row") : "";
form.append(button);

const bytes = Uint8Array.from(atob(document.getElementById("code").textContent), (c) => c.charCodeAt(0));
WebAssembly.instantiate(bytes).then(({ instance }) => {
  const run = network(instance);
  const answer = () => {
    const values = model.columns.length ? row() : numbers();
    if (typeof values === "string") say("problem", values);
    else show(run(values));
  };
  const begin = () => {
    fill();
    if (model.keeps) say("problem", "It keeps what it has seen: send it row after row.");
    else answer();
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    answer();
  });
  if (!model.keeps) form.addEventListener("input", answer);
  addEventListener("hashchange", begin);
  begin();
}).catch((error) => say("problem", `This browser cannot run it: ${error.message}`));
