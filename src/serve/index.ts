export { createServer, type CairnServer, type ServerOptions } from './server.ts';
export { DEFAULT_PORT } from './_listen.ts';
export type { BoardOutcome, BoardService, SketchNumbersView } from './service.ts';
export { BoardStream, PACE_MS } from './stream.ts';
export type { Speed, StreamState } from './views.ts';
export {
  ClientKeys,
  configSchema,
  Gateway,
  type GatewayConfig,
  type GatewayOptions,
  type GatewayState,
  openAnswerTable,
  openPostgresState,
  openSqliteState,
  openStateThread,
  parseConfig,
  readConfig,
} from './gateway/index.ts';
