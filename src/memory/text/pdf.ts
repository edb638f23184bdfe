// The text of a PDF, page after page, as UTF-8 with form feeds between the pages: what the plain reader then reads. The
// parser is loaded when the first PDF comes; it runs no scripts and fetches nothing.
import { CairnError } from '../../errors.ts';

const MARK = [0x25, 0x50, 0x44, 0x46, 0x2d]; // %PDF-

/** True for bytes that begin like a PDF. */
export function isPdf(bytes: Uint8Array): boolean {
  return MARK.every((byte, i) => bytes[i] === byte);
}

/**
 * @throws CairnError `bad_pdf` for a damaged or encrypted file, `pdf_without_text` for scanned pages
 */
export async function pdfText(bytes: Uint8Array, name: string): Promise<Uint8Array> {
  const { extractText, getDocumentProxy } = await import('unpdf');
  let pages: readonly string[];
  try {
    // The parser takes the buffer over, so it gets a copy.
    const document = await getDocumentProxy(new Uint8Array(bytes), { verbosity: 0 });
    try {
      pages = (await extractText(document, { mergePages: false })).text;
    } finally {
      await document.destroy();
    }
  } catch (cause) {
    throw new CairnError('bad_pdf', `Expected a PDF that can be read, got a damaged or protected one: ${name}.`, {
      hint: 'Open it in a viewer and save it again without a password.',
      cause,
    });
  }
  // Control characters come from broken fonts; a form feed inside a page would look like the end of it.
  // oxlint-disable-next-line no-control-regex
  const clean = pages.map((page) => page.replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g, ' ').trim());
  if (clean.every((page) => page === '')) {
    throw new CairnError(
      'pdf_without_text',
      `Expected a PDF with text, got ${pages.length} pages without any: ${name}.`,
      {
        hint: 'Scanned pages need text recognition first.',
      },
    );
  }
  return new TextEncoder().encode(clean.join('\f'));
}
