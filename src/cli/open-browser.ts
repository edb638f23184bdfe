// Opens a page in the person's browser, where there is a person: never in CI, never without a terminal, never when told not to.
import { spawn } from 'node:child_process';

/** Whether a browser should be opened from this process. */
export function mayOpenBrowser(
  wanted: boolean,
  env: Readonly<Record<string, string | undefined>>,
  isTerminal: boolean,
): boolean {
  return wanted && isTerminal && !env['CI'] && env['BROWSER'] !== 'none' && !env['SSH_CONNECTION'];
}

/** Starts the platform's opener and forgets it. Its absence is no fault: the URL is printed anyway. */
export function openBrowser(url: string, platform: NodeJS.Platform): void {
  const [command, args] =
    platform === 'darwin'
      ? (['open', [url]] as const)
      : platform === 'win32'
        ? (['cmd', ['/c', 'start', '', url]] as const)
        : (['xdg-open', [url]] as const);
  const child = spawn(command, args, { stdio: 'ignore', detached: true });
  child.on('error', () => undefined);
  child.unref();
}
