export { answerResponses, dropResponse, keptResponse } from './answer-responses.ts';
export { openResponseTable, type ResponseTable } from './response-table.ts';
