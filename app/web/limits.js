// What the figures of a model say about its limits, in words for people who read no figures.

import { none } from "./words.js";

const OWN = { pictures: "pictures of its own data set", right: "test_accuracy", recall: "test_recall_" };
const OTHERS = [
  { pictures: "pictures from other places", right: "heldout_accuracy", recall: "heldout_recall_", strangers: "heldout_out_accepted" },
  { pictures: "pictures from elsewhere", right: "external_accuracy", recall: "external_recall_", strangers: "out_accepted" },
];
const CHANGED = "changed_";
const MEANS = [`${CHANGED}mean`, `${CHANGED}worst`]; // are of no single change

/** A sentence for each thing that was measured; `metrics` as `/model` gives them, by name. */
export function limits(metrics, classes) {
  const other = OTHERS.find(({ right }) => right in metrics);
  return [
    other && right(metrics, other),
    other?.strangers in metrics && strangers(metrics[other.strangers], other, classes),
    OWN.right in metrics && right(metrics, OWN),
    changed(metrics),
    "Yours may be unlike all of these: try some whose answer you know.",
  ].filter(Boolean);
}

function right(metrics, { pictures, right, recall }) {
  const [all, [name, worst]] = [metrics[right], lowest(metrics, recall)];
  const missed = worst.n - hits(worst);
  const most = missed ? `; of ${name} it got ${missed} of ${worst.n} wrong, more than of any other` : "";
  return `Of ${count(all)} ${pictures} that it had never seen it got ${all.n - hits(all)} wrong${most}.`;
}

function strangers(all, { pictures }, classes) {
  return `Of ${count(all)} ${pictures} that show ${none(classes.length)} it took ${hits(all)} for one of them.`;
}

function changed(metrics) {
  const [name, worst] = lowest(metrics, CHANGED);
  const wrong = worst && Math.round(100 * (1 - worst.value));
  return wrong && `Changed pictures of its own data set it gets wrong more often, most of all by ${name.replaceAll("_", " ")}: ${wrong} of 100.`;
}

/** The name and figure of what it is worst at. */
function lowest(metrics, prefix) {
  const found = Object.entries(metrics).filter(([key]) => key.startsWith(prefix) && !MEANS.includes(key));
  const [key, metric] = found.sort(([, one], [, other]) => one.value - other.value)[0] ?? [""];
  return [key.slice(prefix.length), metric];
}

const hits = ({ value, n }) => Math.round(value * n);
const count = ({ n }) => n.toLocaleString("en");
