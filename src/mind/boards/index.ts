// Public names of the board modules and of what a server shows of boards.
export type {
  AttemptView,
  BoardOutcome,
  Boards,
  BoardStream,
  BoardView,
  CallView,
  CellView,
  CertificateView,
  CostView,
  ErasureView,
  EventView,
  ForgetView,
  HitView,
  PictureView,
  ProofStepView,
  RelatedView,
  RouteView,
  SketchNumbersView,
  SketchView,
  TotalsView,
} from './view.ts';
export {
  digitEncoder,
  inkOf,
  type BoardPicture,
  type BoardReading,
  type DigitInput,
  type DigitReading,
} from './cells.ts';
export { digitReader, inkReader, type DigitClassifier } from './read-digit.ts';
export { boardReader } from './read-board.ts';
export { exactSolver, gridChecker, propagationSolver, type GridVerdict } from './solve-grid.ts';
export {
  calibrateReaders,
  defaultModels,
  fitReadDigitRouter,
  loadReaders,
  openBoards,
  type OpenBoardsOptions,
} from './open.ts';
export { cutPicture } from './cut.ts';
export { type GrowthMeasurement, measureGrowth, type MeasureGrowthOptions } from './growth/measure.ts';
export { conceptPurity, type PurityFigures } from './growth/purity.ts';
export {
  measureBoards,
  measureRouting,
  type BoardMeasurement,
  type MeasureBoardsOptions,
  type RoutingMeasurement,
} from './measure.ts';
