// The gateway under the soak, in a process of its own. Usage: soaked.ts <configuration file> <state file>.
import { createServer, Gateway } from 'cairn/serve';

const [configPath, statePath] = process.argv.slice(2) as [string, string];
const gateway = await Gateway.open({ configPath, statePath });
const server = await createServer({
  boards: () => Promise.reject(new Error('not needed here')),
  gateway: async () => gateway,
  port: 0,
  studio: false,
});
server.ready.catch(() => undefined);
process.stdout.write(`${JSON.stringify({ url: server.url })}\n`);
process.stdin.resume();
process.stdin.once('end', () => process.exit(0));
