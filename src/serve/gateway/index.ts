export { Gateway, type GatewayOptions } from './gateway.ts';
export { createGatewayHandler, type GatewayHandler } from './http.ts';
export { createAuthorise } from './authorise.ts';
export { addGatewayApi } from './api.ts';
export { type GatewayConfig, configSchema, parseConfig, readConfig } from './config.ts';
export { GatewayError } from './gateway-error.ts';
export { type DecisionRecord } from './explain.ts';
export { openSqliteState, type GatewayState } from './state.ts';
export { type ClientKey, ClientKeys } from './keys.ts';
