// The answers as a CSV file with the columns of `classify`.

import { bodyPart } from "./words.js";

/**
 * The columns of classify's table but those of studies and slices, of which the service tells nothing. Neither does it tell
 * the size of what is no DICOM, nor the kind of what it refuses.
 */
export async function csv(pictures, classes) {
  const rows = [Object.keys(await row({}, classes))];
  for (const picture of pictures) rows.push(Object.values(await row(picture, classes))); // one file in memory at a time
  return rows.map((cells) => `${cells.map(quoted).join(",")}\r\n`).join("");
}

async function row({ name, file, answer, error }, classes) {
  const { label, confidence, accepted, ood_score, probabilities, dicom, model } = answer ?? {};
  return {
    path: name,
    sha256: file && (await sha256(file)),
    kind: answer && "picture",
    label,
    confidence,
    accepted,
    ood_score,
    ...Object.fromEntries(classes.map((each) => [`p_${each}`, probabilities?.[each]])),
    header_modality: dicom?.modality,
    header_body_part: dicom?.body_part,
    header_agrees: dicom?.agrees,
    suggested: dicom?.suggested && bodyPart(dicom.suggested),
    rows: dicom?.rows,
    columns: dicom?.columns,
    frames: dicom?.frames,
    error,
    model: model && `${model.name}-${model.version}`,
  };
}

/** Of the content, in hexadecimal; nothing where the browser does not compute it: on plain HTTP from elsewhere. */
async function sha256(file) {
  try {
    const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
    return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
  } catch {
    return undefined; // or the file is gone
  }
}

/** A file's name or a header may be a formula to a spreadsheet; behind an apostrophe it is text. */
function quoted(value) {
  const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
