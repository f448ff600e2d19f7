// The answers: how many of what there are, and those that are shown, as a table and as cards in one order.

import { card, seen, tell as tellCard } from "./card.js";
import { element, find, keepingFocus } from "./elements.js";
import { reason } from "./look.js";
import * as table from "./table.js";
import * as words from "./words.js";

const STEP = 24; // cards made at a time; hundreds of them with their pictures make a page slow
const [ALL, LOOK, FAILED, LEFT] = ["all", "to look at", "failed", "not judged"];

const filters = new Map(); // their buttons, by name
let pictures = []; // as they came
let shown = []; // those that pass the filter, in the order of the table
let limit = STEP; // of cards
let filter = ALL;
let working = false;

const isDone = ({ answer, error }) => Boolean(answer || error);
const outcome = ({ answer, error }) => (error ? FAILED : answer ? words.label(answer) : LEFT);

export const all = () => pictures;
export const isBusy = () => pictures.some(({ asking }) => asking);
export const next = () => pictures.find((picture) => !picture.asking && !isDone(picture));

export function add(added) {
  pictures.push(...added);
  shown.push(...added.filter(passes));
  find("results").hidden = false;
  find("many").hidden = find("filters").hidden = pictures.length < 2;
  added.filter(passes).forEach(table.put);
  fill();
}

export function begin() {
  working = true;
  for (const id of ["away", "series"]) find(id).hidden = true; // no longer all there is
  count();
}

/** Put what was found about a picture where it belongs. */
export function tell(picture, threshold) {
  picture.threshold = threshold;
  if (!isDone(picture)) return;
  if (picture.card) tellCard(picture);
  if (passes(picture)) {
    if (!shown.includes(picture)) shown.push(picture);
    table.put(picture);
    fill();
  }
  count();
}

/** All that can be judged is: in order, or why it is not all. */
export function settle(away) {
  const left = counted().get(LEFT) ?? 0;
  working = false;
  find("away").hidden = !left;
  find("away").firstElementChild.textContent = `${away} ${pictures.length - left} of ${pictures.length} pictures are judged, ${left} not.`;
  find("together").hidden = pictures.filter(({ answer }) => answer?.dicom).length < 2;
  arrange();
  count();
}

export function clear() {
  for (const picture of pictures) [picture.url, picture.heat, picture.thumbnail].filter(Boolean).forEach(URL.revokeObjectURL);
  [pictures, shown, filter, limit] = [[], [], ALL, STEP];
  for (const id of ["results", "series", "together"]) find(id).hidden = true;
  arrange();
  count();
}

/** Every card that is shown is made, and has its picture: for paper. */
export function allSeen() {
  upTo(shown.length);
  return Promise.all(shown.map(seen));
}

function passes(picture) {
  if (filter === ALL) return true;
  return filter === LOOK ? reason(picture) !== "" : outcome(picture) === filter;
}

function arrange() {
  shown = table.sorted(pictures.filter(passes));
  keepingFocus(() => {
    table.show(shown);
    find("cards").replaceChildren();
    fill();
  });
}

/** Make the cards that are wanting: as many stand there as are shown, up to the limit. */
function fill() {
  const made = find("cards").children.length;
  find("cards").append(...shown.slice(made, limit).map((picture) => (picture.card ??= card(picture))));
  const rest = shown.length - limit;
  find("more").hidden = rest <= 0;
  find("more").textContent = `Show ${Math.min(STEP, rest)} more of ${rest}`;
}

function upTo(number) {
  limit = Math.max(limit, number);
  fill();
}

/** How far it is. The status is only said at the end, or a screen reader would read every number. */
function count() {
  const counts = counted();
  const [looks, failed, left] = [LOOK, FAILED, LEFT].map((name) => counts.get(name) ?? 0);
  const done = pictures.length - left;
  find("working").hidden = !working;
  Object.assign(find("progress"), { max: pictures.length, value: done });
  find("working").lastElementChild.textContent = `${done} of ${pictures.length}`;
  for (const id of ["clear", "download", "print"]) find(id).disabled = working;
  const said = [`${done} done`, failed && `${failed} of them with an error`, looks && `${looks} to look at`];
  find("status").textContent = working || !done ? "" : `${said.filter(Boolean).join(", ")}.`;
  offer(counts);
}

/** How many pictures each filter shows, by its name. */
function counted() {
  const counts = new Map([[ALL, pictures.length], [LOOK, pictures.filter(reason).length]]);
  for (const name of pictures.map(outcome)) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

/** A filter for each outcome there is, with its number: the general ones first, then the labels by name. */
function offer(counts) {
  const added = [...counts.keys()].filter((name) => !filters.has(name));
  for (const name of added) filters.set(name, element("button", { className: "plain", onclick: () => choose(name) }));
  const inOrder = [...filters].sort(([one], [other]) => (rank(one) < rank(other) ? -1 : 1));
  if (added.length) keepingFocus(() => find("filters").append(...inOrder.map(([, button]) => button)));
  for (const [name, button] of filters) {
    const number = counts.get(name) ?? 0;
    Object.assign(button, { textContent: `${name} ${number}`, ariaPressed: String(name === filter), hidden: !number && name !== filter });
  }
}

const rank = (name) => ({ [ALL]: "0", [LOOK]: "1", [FAILED]: "3", [LEFT]: "4" })[name] ?? `2${name}`;

function choose(name) {
  filter = name;
  limit = STEP;
  arrange();
  offer(counted());
}

find("more").onclick = () => {
  const first = shown[limit];
  upTo(limit + STEP);
  first.card.querySelector("h3").focus();
};
table.prepare(arrange, (picture) => upTo(shown.indexOf(picture) + 1));
