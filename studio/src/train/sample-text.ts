// A text that is there without a download: what this project says of itself.
import gateway from '../../../docs/gateway.md';
import routing from '../../../docs/routing.md';
import readme from '../../../README.md';

export const SAMPLE_TEXT = [readme, gateway, routing].join('\n');
