// Training over worker processes that may come and go.
export { createElasticProgram, type ElasticOptions, type ElasticProgram } from './elastic.ts';
