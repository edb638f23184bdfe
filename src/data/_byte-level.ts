// The byte-level alphabet of the common tokenizer.json layout: a printable character for each of the 256 bytes.

/** The printable stand-ins that the byte-level layout uses for the 256 bytes. */
export function byteLevelAlphabet(): string[] {
  let extra = 256;
  return Array.from({ length: 256 }, (_, b) => {
    const printable = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
    return String.fromCharCode(printable ? b : extra++);
  });
}
