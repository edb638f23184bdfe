// Layers of which only a part works on each row: hashed experts and their routers.
export * from './bucket-constant.ts';
export * from './hash.ts';
export * from './lsh-experts.ts';
export * from './sparse-moe.ts';
