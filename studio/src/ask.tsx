// Your own board: choose or drop a picture of any kind the browser opens. It is turned into a PNG of sensible size here, read and
// solved by the server, and shown on its page.
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { api } from './api.ts';
import { eventPath, go } from './router.ts';
import { complain, notice, remember } from './state.ts';

/** Longest side that is sent, in pixels. */
const SIDE = 1_600;

async function toPng(file: File): Promise<Blob> {
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    // Not a picture for the browser: the server says what is wrong with it.
    return file;
  }
  const scale = Math.min(1, SIDE / Math.max(bitmap.width, bitmap.height));
  if (scale === 1 && file.type === 'image/png') return file;
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext('2d');
  if (!context) return file;
  context.fillStyle = '#fff';
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = 'high';
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => {
    canvas.toBlob((blob) => resolve(blob ?? file), 'image/png');
  });
}

export function Ask(): JSX.Element {
  const input = useRef<HTMLInputElement>(null);
  const [busy, setBusy] = useState(false);
  const [over, setOver] = useState(false);

  const ask = async (file: File | undefined): Promise<void> => {
    if (!file) return;
    setBusy(true);
    notice.value = null;
    try {
      const board = await api.ask(await toPng(file), file.name);
      remember([board]);
      go(eventPath(board.id));
    } catch (error) {
      complain(error);
    } finally {
      setBusy(false);
      if (input.current) input.current.value = '';
    }
  };

  useEffect(() => {
    const hasFile = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') ?? false;
    const enter = (event: DragEvent): void => {
      if (!hasFile(event)) return;
      event.preventDefault();
      setOver(true);
    };
    const leave = (event: DragEvent): void => {
      if (event.relatedTarget === null) setOver(false);
    };
    const drop = (event: DragEvent): void => {
      if (!hasFile(event)) return;
      event.preventDefault();
      setOver(false);
      void ask(event.dataTransfer?.files[0]);
    };
    addEventListener('dragenter', enter);
    addEventListener('dragover', enter);
    addEventListener('dragleave', leave);
    addEventListener('drop', drop);
    return () => {
      removeEventListener('dragenter', enter);
      removeEventListener('dragover', enter);
      removeEventListener('dragleave', leave);
      removeEventListener('drop', drop);
    };
  }, []);

  return (
    <>
      <input
        ref={input}
        class="visually-hidden"
        id="picture"
        type="file"
        accept="image/*"
        tabIndex={-1}
        onChange={(e) => void ask(e.currentTarget.files?.[0])}
      />
      <button type="button" class="ask" disabled={busy} onClick={() => input.current?.click()}>
        {busy ? 'Reading …' : 'Your own board'}
      </button>
      {over && (
        <div class="drop" aria-hidden="true">
          <p>Drop a picture of a Sudoku board</p>
        </div>
      )}
    </>
  );
}
