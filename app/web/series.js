// DICOM files of one series, judged together by the service: one answer for each series, with its ranges.

import { element, find } from "./elements.js";
import { ask } from "./service.js";
import * as words from "./words.js";

const MOST_FILES = 256; // of one request, as the service has it unless it was set otherwise
const MOST_BYTES = 2 ** 27; // of its 2 ** 28, which the browser holds in memory too

/** Judge the DICOM files among `pictures` once more, in one request, and show what their series are. */
export async function together(pictures) {
  const files = pictures.filter(({ answer }) => answer?.dicom);
  const sent = spread(files);
  find("together").disabled = true;
  try {
    const found = await judged(sent);
    show(found.filter(({ indices }) => indices.length > 1), sent, files.length);
  } catch (error) {
    show([], sent, files.length, error.message);
  }
  find("together").disabled = false;
  find("series").querySelector("h3").focus();
}

/** All that fit into a request, else every second, every third … */
function spread(files) {
  const bytes = files.reduce((sum, { file }) => sum + file.size, 0);
  const step = Math.ceil(Math.max(1, files.length / MOST_FILES, bytes / MOST_BYTES));
  return files.filter((_, at) => at % step === 0);
}

async function judged(files) {
  const body = new FormData();
  for (const { file } of files) body.append("files", file);
  const { series } = await (await ask("predict/batch", { method: "POST", body })).json();
  return series;
}

function show(found, sent, all, error) {
  const of = sent.length < all ? `, judged by ${sent.length} of the ${all} files` : "";
  const none = "No two of the files are of one series.";
  const [list, said] = [find("series").querySelector("ul"), find("series").querySelector("p")];
  said.textContent = error ?? (found.length ? `${found.length} series of two files or more${of}.` : none);
  said.className = error ? "error" : "quiet";
  list.replaceChildren(...found.map((one) => card(one, sent)));
  find("series").hidden = false;
}

function card({ indices, label, ranges, probabilities }, sent) {
  const [first, last] = [sent[indices[0]].name, sent[indices.at(-1)].name];
  const strip = element("div", { className: "ranges", ariaHidden: "true" }, ...ranges.map((range) => segment(range, indices.length)));
  return element(
    "li",
    {},
    element("p", { className: label ? "label" : "label stranger", textContent: words.label({ label, probabilities }) }),
    element("p", { className: "quiet", textContent: `${indices.length} slices, ${first} to ${last}` }),
    strip,
    element("p", { textContent: ranges.map(named).join(", ") }),
  );
}

function named({ first, last, label }) {
  return `${first === last ? first : `${first}–${last}`} ${label ?? "none"}`;
}

function segment({ first, last, label }, slices) {
  const made = element("span", { className: label ? "" : "none", textContent: label ?? "none" });
  made.style.setProperty("--share", (last - first + 1) / slices);
  return made;
}
