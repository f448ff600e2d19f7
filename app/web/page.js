// The page: pictures come in, each is judged by the service, and its answer is shown.

import { introduce } from "./about.js";
import * as answers from "./answers.js";
import { csv } from "./csv.js";
import { element, find } from "./elements.js";
import { example, offerExamples } from "./examples.js";
import { chosen, dropped, toPictures } from "./intake.js";
import { together } from "./series.js";
import { AT_ONCE, Away, post } from "./service.js";

let away = ""; // why nothing more is sent
let model = null;

/** Show the files and judge them, so many at a time. */
async function take(files) {
  if (!files.length) return;
  answers.add(toPictures(files, answers.all()));
  fold(true);
  find("answers").focus();
  await judgeAll();
}

async function judgeAll() {
  away = "";
  answers.begin();
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  if (!answers.isBusy()) answers.settle(away);
}

async function work() {
  for (let picture; !away && (picture = answers.next()); ) await judge(picture);
}

async function judge(picture) {
  picture.asking = true;
  try {
    picture.answer = await (await post("predict", picture.file)).json();
  } catch (error) {
    if (error instanceof Away) away = error.message;
    else picture.error = error.message;
  }
  picture.asking = false;
  answers.tell(picture, model?.ood?.threshold);
}

/** Drop zone and examples are one bar while there are answers. */
function fold(folded) {
  document.body.classList.toggle("answering", folded);
  find("examples").open = !folded;
}

function clear() {
  answers.clear();
  fold(false);
  find("files").focus();
}

async function download() {
  const file = new Blob([await csv(answers.all(), model?.classes ?? [])], { type: "text/csv" });
  const link = element("a", { href: URL.createObjectURL(file), download: "bodyregion.csv" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href));
}

async function print() {
  await answers.allSeen();
  window.print();
}

function listen() {
  const over = (is) => document.body.classList.toggle("over", is);
  for (const id of ["files", "folder"]) {
    find(id).onchange = ({ target }) => {
      take(chosen(target.files));
      target.value = ""; // the same file may be chosen again
    };
  }
  document.onpaste = ({ clipboardData }) => take(chosen(clipboardData.files));
  document.ondragover = (event) => {
    event.preventDefault();
    over(true);
  };
  document.ondragleave = ({ relatedTarget }) => relatedTarget ?? over(false);
  document.ondrop = async (event) => {
    event.preventDefault();
    over(false);
    take(await dropped(event.dataTransfer));
  };
  document.onkeydown = (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.key !== "p" || !answers.all().length) return;
    event.preventDefault(); // the browser would not wait for the pictures
    print();
  };
  Object.entries({ clear, download, print, again: judgeAll }).forEach(([id, act]) => (find(id).onclick = act));
  find("together").onclick = () => together(answers.all());
}

listen();
try {
  model = await introduce();
  await offerExamples(model.classes.length, (paths) => example(paths).then(take));
} catch (error) {
  find("lede").textContent = error.message;
}
