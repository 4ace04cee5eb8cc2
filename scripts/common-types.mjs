// The types of require('tnet') and require('tnet/proxy'), made from those of the ES module: a namespace with an alias for each name that it
// exports. `export = net.default` would do, but for names that are a value and a type at once: tsc fails on those.
import { writeFileSync } from 'node:fs';
import ts from 'typescript';

/**
 * @param entry the ES module's .d.ts file
 * @param specifier how the written file names it
 * @param file the .d.cts file to write
 */
export function writeCommonTypes(entry, specifier, file) {
  const { ModuleKind, ModuleResolutionKind, SymbolFlags } = ts;
  const options = {
    module: ModuleKind.NodeNext,
    moduleResolution: ModuleResolutionKind.NodeNext,
    types: ['node'],
  };
  const program = ts.createProgram([entry], options);
  const checker = program.getTypeChecker();
  const module = checker.getSymbolAtLocation(program.getSourceFile(entry));
  const aliases = checker
    .getExportsOfModule(module)
    .filter(({ name }) => name !== 'default')
    .map((symbol) => {
      const target = symbol.flags & SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
      // A class of which only the type is exported has no value to be had.
      const isOnlyType = symbol.declarations.some(ts.isTypeOnlyImportOrExportDeclaration);
      const word = target.flags & SymbolFlags.Value && !isOnlyType ? 'import' : 'type';
      return `  export ${word} ${symbol.name} = entry.${symbol.name};\n`;
    });
  writeFileSync(
    file,
    `import entry = require('${specifier}');\ndeclare namespace net {\n${aliases.join('')}}\nexport = net;\n`,
  );
}
