// The page: pictures come in, each is judged by the service, and its answer is shown.

import { card, tell } from "./card.js";
import { element, find } from "./elements.js";
import { render, section } from "./markdown.js";
import { ask, post } from "./service.js";
import * as table from "./table.js";
import { number } from "./words.js";

let pictures = [];
let given = 0; // pictures so far, cleared ones too
let model = null;

async function take(files) {
  const added = Array.from(files, (file) => ({ file, name: file.name, url: URL.createObjectURL(file), id: `p${given++}` }));
  for (const picture of added) picture.card = card(picture);
  pictures.push(...added);
  find("cards").append(...added.map((picture) => picture.card));
  count();
  await Promise.all(added.map(judge));
}

async function judge(picture) {
  try {
    picture.answer = await (await post("predict", picture.file)).json();
  } catch (error) {
    picture.error = error.message;
  }
  tell(picture, model?.ood?.threshold);
  table.add(picture);
  count();
}

/** How far it is. The status is only said at the end, or a screen reader would read every number. */
function count() {
  const done = pictures.filter((picture) => picture.row).length;
  const failed = pictures.filter((picture) => picture.error).length;
  const busy = done < pictures.length;
  Object.assign(find("progress"), { max: pictures.length, value: done, hidden: !busy });
  find("results").hidden = !pictures.length;
  find("many").hidden = pictures.length < 2;
  find("clear").disabled = find("download").disabled = busy;
  const said = failed ? `${done} done, ${failed} of them with an error.` : `${done} done.`;
  find("status").textContent = busy || !done ? "" : said;
  if (!busy) table.sort(pictures);
}

function clear() {
  for (const { url, heat, thumbnail } of pictures) [url, heat, thumbnail].filter(Boolean).forEach(URL.revokeObjectURL);
  pictures = [];
  find("cards").replaceChildren();
  table.clear();
  count();
  find("files").focus();
}

async function download() {
  const classes = model?.classes ?? [];
  const file = new Blob([await table.csv(pictures, classes)], { type: "text/csv" });
  const link = element("a", { href: URL.createObjectURL(file), download: "bodyregion.csv" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href));
}

async function introduce() {
  model = await (await ask("model")).json();
  const { name, version, classes, ood, card: text } = model;
  find("lede").textContent = `Tells ${classes.join(", ")} apart, or says that a picture is none of the ${number(classes.length)}.`;
  const facts = { Name: name, Version: version, Classes: classes.join(", ") };
  if (ood) facts["Refuses what is stranger than"] = ood.threshold.toFixed(2);
  const rows = Object.entries(facts).map(([term, said]) => element("div", {}, element("dt", {}, term), element("dd", {}, said)));
  find("facts").replaceChildren(...rows);
  find("limits").replaceChildren(...render(section(text, "Where it fails"), 2));
  find("card").replaceChildren(...render(text, 2));
  find("model").hidden = false;
}

async function offerExamples() {
  const names = await (await ask("web/examples")).json();
  const paths = names.map((name) => `web/examples/${name.split("/").map(encodeURIComponent).join("/")}`);
  const buttons = paths.map((path, at) => {
    const image = element("img", { src: path, alt: `Example ${at + 1}`, width: 64, height: 64 });
    return element("button", { className: "example", onclick: () => example([path]) }, image);
  });
  document.querySelector("#examples .strip").append(...buttons);
  find("every").onclick = () => example(paths);
  find("examples").hidden = !names.length;
}

async function example(paths) {
  find("missing").textContent = "";
  try {
    await take(await Promise.all(paths.map(fetched)));
  } catch (error) {
    find("missing").textContent = error.message;
  }
}

async function fetched(path) {
  return new File([await (await ask(path)).blob()], `example-${path.split("/").at(-1)}`);
}

function listen() {
  const body = document.body;
  find("files").onchange = ({ target }) => {
    take(target.files);
    target.value = ""; // the same file may be chosen again
  };
  document.onpaste = ({ clipboardData }) => take(clipboardData.files);
  document.ondragover = (event) => {
    event.preventDefault();
    body.classList.add("over");
  };
  document.ondragleave = ({ relatedTarget }) => relatedTarget ?? body.classList.remove("over");
  document.ondrop = (event) => {
    event.preventDefault();
    body.classList.remove("over");
    take(event.dataTransfer.files);
  };
  find("clear").onclick = clear;
  find("download").onclick = download;
}

/** What the service cannot say of itself is missing from the page; pictures may be judged all the same. */
const report = (error) => (find("lede").textContent = error.message);

table.prepare(() => pictures);
listen();
introduce().catch(report);
offerExamples().catch(report);
