// One picture's card: what it looks like, what it shows, how sure that is, and why.

import { element } from "./elements.js";
import { post } from "./service.js";
import * as words from "./words.js";

/** The card of a picture, judged or not yet. Its image is loaded when it comes into view. */
export function card(picture) {
  const image = element("img", { loading: "lazy", alt: "" });
  picture.image = image;
  picture.seen = new Promise((done) => {
    image.onload = done;
    image.onerror = () => preview(picture, image).then(done);
  });
  image.src = picture.url;
  const heading = element("h3", { id: picture.id, tabIndex: -1, textContent: picture.name });
  const told = element("div", { className: "told" }, heading, element("p", { className: "quiet", textContent: "Not judged yet." }));
  const made = element("li", {}, element("figure", {}, image), told);
  if (picture.answer || picture.error) tell(picture, made);
  return made;
}

/** Put the answer, or the error, on its card. */
export function tell(picture, made = picture.card) {
  const told = made.querySelector(".told");
  told.lastChild.remove();
  if (picture.error) {
    told.append(element("p", { className: "error", textContent: picture.error }));
    return;
  }
  const { answer, threshold } = picture;
  told.append(
    element("p", { className: answer.label ? "label" : "label stranger", textContent: words.label(answer) }),
    ...(answer.label ? [] : [element("p", { textContent: `nearest: ${words.nearest(answer).join(" ")}` })]),
    element("p", { className: "quiet", textContent: words.acceptance(answer, threshold) }),
    bars(answer),
  );
  if (answer.dicom) told.append(dicom(answer.dicom));
  made.querySelector("figure").append(heat(picture));
}

/** Once its image has been loaded, in view or not. */
export function seen(picture) {
  picture.image.loading = "eager";
  return picture.seen;
}

/** Of what the browser cannot show itself, DICOM above all, the service makes a small picture. */
async function preview(picture, image) {
  image.onerror = null;
  const unshown = element("span", { className: "unshown", textContent: kind(picture.file.name) });
  image.replaceWith(unshown);
  if (picture.error) return;
  try {
    picture.thumbnail = await made("thumbnail", picture);
  } catch {
    return; // its card tells why
  }
  image.src = picture.thumbnail;
  unshown.replaceWith(image);
  await image.decode();
}

function bars({ label, probabilities }) {
  const rows = Object.entries(probabilities).map(([name, share]) => {
    const bar = element("span", { className: "share", ariaHidden: "true" });
    bar.style.setProperty("--share", share);
    return element("li", {}, element("span", {}, name), bar, element("span", {}, words.percent(share)));
  });
  return element("ul", { className: label ? "bars" : "bars refused", ariaLabel: "Probabilities" }, ...rows);
}

function dicom(said) {
  const frames = said.frames > 1 ? `, the middle one of ${said.frames} frames` : "";
  const text = `DICOM header: ${words.header(said)} (${words.agreement(said)}); ${said.columns} × ${said.rows}${frames}`;
  return element("p", { className: said.agrees === false ? "stranger" : "quiet", textContent: text });
}

/** A button that shows the heat map with its legend instead of the picture, and the picture again. */
function heat(picture) {
  const button = element("button", { className: "plain", textContent: "Heat map", ariaPressed: "false" });
  button.ariaLabel = `Heat map of ${picture.name}`;
  let other = null;
  button.onclick = async () => {
    button.disabled = true;
    try {
      other ??= await explained(picture);
      const shown = button.previousElementSibling;
      shown.replaceWith(other);
      other = shown;
      button.ariaPressed = String(button.ariaPressed === "false");
    } catch (error) {
      button.replaceWith(element("p", { className: "error", role: "alert", textContent: error.message }));
      return;
    }
    button.disabled = false;
    button.focus();
  };
  return button;
}

async function explained(picture) {
  picture.heat = await made("explain", picture);
  const [name] = words.nearest(picture.answer);
  const image = element("img", { src: picture.heat, alt: `What speaks for ${name}, as heat` });
  const legend = element("p", { className: "legend" }, element("span", { className: "scale" }), "against", element("span", {}, `for ${name}`));
  return element("div", { className: "heat" }, image, legend);
}

/** The address of a picture that a route makes of this one. */
async function made(route, picture) {
  return URL.createObjectURL(await (await post(route, picture.file)).blob());
}

function kind(name) {
  const ending = /\.(\w{1,5})$/.exec(name);
  return ending ? ending[1].toUpperCase() : "no preview";
}
