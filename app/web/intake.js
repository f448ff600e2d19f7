// What a person gives: files, a folder, or both mixed; each under a name that no other has.

const ARCHIVE = /\.(zip|7z|rar|tar|tgz|tbz2?|txz|gz|bz2|xz)$/i;
const LITTER = /(^|\/)(\.|__MACOSX\/|@eaDir\/|Thumbs\.db$|desktop\.ini$)/i; // what file servers and desktops leave
const UNREADABLE = "The browser could not read it.";
const ARCHIVES_ARE_FOR_CLASSIFY = "This is an archive: unpack it, or give it to the command bodyregion classify, which reads zip and tar.";

let given = 0; // pictures so far, cleared ones too

/** Of a file list: the files, named by their path below the folder that was chosen, if one was. */
export function chosen(files) {
  return withoutLitter(Array.from(files, (file) => ({ file, name: file.webkitRelativePath || file.name })));
}

/** What was dropped, folders walked. */
export async function dropped({ items, files }) {
  const entries = Array.from(items, (item) => item.webkitGetAsEntry?.()).filter(Boolean); // before the event is over
  if (!entries.length) return chosen(files);
  return withoutLitter((await Promise.all(entries.map(walked))).flat());
}

/** Pictures to be judged, none called as another or as one of those `before`; of some the error is known. */
export function toPictures(files, before) {
  const names = new Set(before.map(({ name }) => name));
  return files.map(({ file, name, error }) => ({
    file,
    name: apart(name, names),
    id: `p${given++}`,
    url: URL.createObjectURL(file),
    error: error ?? (ARCHIVE.test(name) ? ARCHIVES_ARE_FOR_CLASSIFY : undefined),
  }));
}

const withoutLitter = (files) => files.filter(({ name }) => !LITTER.test(name));

/** The files of an entry, which is one or a folder. What cannot be read is an empty file with an error. */
async function walked(entry) {
  const name = entry.fullPath.slice(1);
  try {
    if (entry.isFile) return [{ file: await new Promise((done, failed) => entry.file(done, failed)), name }];
    return (await Promise.all((await listed(entry.createReader())).map(walked))).flat();
  } catch {
    return [{ file: new File([], entry.name), name, error: UNREADABLE }];
  }
}

/** What a folder's reader gives, a hundred entries at a time, by name. */
async function listed(reader) {
  const found = [];
  for (let some; (some = await new Promise((done, failed) => reader.readEntries(done, failed))).length; ) found.push(...some);
  return found.sort((one, other) => one.name.localeCompare(other.name, "en", { numeric: true }));
}

/** The name, with a number where it is one of `names`, which it then is. */
function apart(name, names) {
  let own = name;
  for (let copy = 2; names.has(own); copy++) own = `${name} (${copy})`;
  names.add(own);
  return own;
}
