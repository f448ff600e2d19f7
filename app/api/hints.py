"""What a caller whose upload was refused seems to have meant: the slips that are common with curl, and what to send."""

import re

from app.api.errors import REFUSALS
from app.api.request import RequestContext
from app.imaging import DamagedPicture, UnknownType

LOOKED_AT_BYTES = 1024
NO_FORMAT = REFUSALS[UnknownType].sentence
JSON = re.compile(rb'\s*(\{\s*"|\[\s*["{\[])')
ARCHIVE = re.compile(
    rb"PK(\x03\x04|\x05\x06)|\x1f\x8b|BZh[1-9]|\xfd7zXZ\0|.{257}ustar", re.DOTALL
)  # zip, gz, bz2, xz, tar
FORM, URL_ENCODED = "multipart/form-data", "application/x-www-form-urlencoded"  # curl calls what -d sends the latter
SENT_AS_FILE = {FORM, "application/octet-stream"}  # so does the page

TEXT_FIELD = "The field {0} holds text, not a file; with curl it is {0}=@path."
TEXT_BODY = "The body is text, not a file; with curl it is --data-binary @path, or -F file=@path."
IN_JSON = "The content is JSON, not a picture; send the picture's own bytes, as body or in a form's field."
IN_ARCHIVE = "The content is an archive such as a zip, tar or gz; the command bodyregion classify reads those."
WITHOUT_LINE_ENDS = "{0}; curl's -d @path leaves out line ends, --data-binary @path sends the file as it is."


def hinted(error: Exception, context: RequestContext, index: int = 0) -> Exception:
    """The error that met an upload, of the same kind, with a sentence that helps where its cause can be told."""
    sentence = _hint(error, context, index) if context.uploads else None
    return type(error)(sentence) if sentence else error


def _hint(error: Exception, context: RequestContext, index: int) -> str | None:
    """None of the upload's own text is in it."""
    said, sent_as = str(error), context.headers.get("content-type", "").partition(";")[0].strip().lower()
    if said == NO_FORMAT and (found := _seen(*context.uploads[index], sent_as)):
        return found
    mangled = said == NO_FORMAT or isinstance(error, DamagedPicture)
    return WITHOUT_LINE_ENDS.format(said.removesuffix(".")) if mangled and sent_as == URL_ENCODED else None


def _seen(data: bytes, text_field: str, sent_as: str) -> str | None:
    """What content of no format that is read can be told to be."""
    start = data[:LOOKED_AT_BYTES]
    is_text = start.decode(errors="surrogateescape").strip().isprintable()
    if is_text and text_field:
        return TEXT_FIELD.format(text_field)
    if JSON.match(start):
        return IN_JSON
    if is_text and sent_as not in SENT_AS_FILE:
        return TEXT_BODY
    return IN_ARCHIVE if ARCHIVE.match(start) else None
