// Forgetting an event: wholly, or all but a part of its sketch. Asks once, then says what is gone.
import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';
import type { BoardView } from '../../src/mind/boards/view.ts';
import { api } from './api.ts';
import { bytes, count } from './format.ts';
import { go } from './router.ts';
import { complain, dropEvent, notice } from './state.ts';

interface ForgetProps {
  readonly board: BoardView;
  /** Numbers on the slider, when it is pulled. */
  readonly keep: number | null;
  readonly onChanged: () => void;
}

export function Forget({ board, keep, onChanged }: ForgetProps): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  const [busy, setBusy] = useState(false);
  const forget = async (left: number | undefined): Promise<void> => {
    setBusy(true);
    try {
      const done = await api.forget(board.id, left);
      dialog.current?.close();
      notice.value = {
        kind: 'done',
        text: done.says,
        hint: `${bytes(done.bytesBefore)} before, ${bytes(done.bytesAfter)} after.`,
      };
      if (left === undefined) {
        dropEvent(board.id);
        go('/');
      } else onChanged();
    } catch (error) {
      dialog.current?.close();
      complain(error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      <button type="button" class="danger" onClick={() => dialog.current?.showModal()}>
        Forget …
      </button>
      <dialog ref={dialog} aria-labelledby="forget-title">
        <h2 id="forget-title">Forget board {board.ordinal}?</h2>
        <p>
          Its sketch is subtracted from everything that was built on it, and its entries leave the index. This cannot be
          undone; nothing of it comes back later.
        </p>
        <div class="dialog-buttons">
          <button type="button" class="danger" disabled={busy} onClick={() => void forget(undefined)}>
            Forget it wholly
          </button>
          {keep !== null && (
            <button type="button" disabled={busy} onClick={() => void forget(keep)}>
              Keep {count(keep)} numbers
            </button>
          )}
          <button type="button" disabled={busy} onClick={() => dialog.current?.close()}>
            Cancel
          </button>
        </div>
        {keep === null && <p class="quiet">To erase only a part, pull the slider first.</p>}
      </dialog>
    </>
  );
}
