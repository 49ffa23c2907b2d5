// Reads each file with Mermaid's parser. The exit status is 1 when one is no flowchart to it.
import fs from 'node:fs';
import { JSDOM } from 'jsdom';

// Mermaid cleans labels with a library that needs a document.
const { window } = new JSDOM('');
globalThis.window = window;
globalThis.document = window.document;
const { default: mermaid } = await import('mermaid');

for (const file of process.argv.slice(2)) {
  const text = fs.readFileSync(file, 'utf8');
  try {
    const { diagramType } = await mermaid.parse(text);
    if (!diagramType.startsWith('flowchart')) throw new Error(`read as ${diagramType}`);
  } catch (error) {
    console.error(`${file}: ${error.message}\n${text}`);
    process.exitCode = 1;
  }
}
