export { findBoard, type BoardGrid, type FoundBoard } from './find-board.ts';
export { createGray, grayFromRgba, resample, resize, rotate, type GrayImage, type Rectangle } from './gray.ts';
export { readPng, writePng, type ReadPngOptions } from './png.ts';
export { renderBoard, type RenderBoardOptions } from './render-board.ts';
export { toDigitImage, type DigitImage } from './to-digit.ts';
export { toInk } from './to-ink.ts';
