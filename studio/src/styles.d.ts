// Style sheets are bundled by esbuild; importing one has no value. Markdown is bundled as its text.
declare module '*.css';
declare module '*.md' {
  const text: string;
  export default text;
}
