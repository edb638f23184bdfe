// Loaded before Portkey's gateway. With the version of @hono/node-server that its range allows today it appends to the headers of
// fetched responses, which are immutable, and answers every stream with 500. Here fetched headers can be appended to.
const original = globalThis.fetch;

globalThis.fetch = async (...args) => {
  const response = await original(...args);
  const headers = new Headers(response.headers);
  Object.defineProperty(response, 'headers', { value: headers });
  return response;
};
