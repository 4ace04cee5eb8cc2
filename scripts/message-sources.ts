import { join, relative } from 'node:path';
import ts from 'typescript';

/**
 * Reads texts out of the sources, without running them. What is known only at run time stands in angle brackets, by the
 * name that it has in the code (`<host>`), and what may be missing in square brackets. A text that a function is given
 * is read where the function is called.
 */

/** What a parameter stands for: the argument, and what its own parameters stand for. */
interface Bound {
  readonly expression: ts.Expression | undefined;
  readonly scope: Scope;
}
type Scope = ReadonlyMap<ts.Symbol, Bound>;

type Call = ts.CallExpression | ts.NewExpression;

/** A text that takes more shapes than this inside another one is given by its name. */
const shapesMost = 6;
const depthMost = 12;

export class MessageSources {
  readonly files: readonly ts.SourceFile[];
  readonly #checker: ts.TypeChecker;
  /** The calls by the last name of what they call: what a name stands for is asked only where it matters. */
  readonly #calls = new Map<string, Call[]>();
  /** What objects are given for a member, by its name. */
  readonly #members = new Map<string, ts.PropertyAssignment[]>();
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
    const configFile = join(root, 'tsconfig.json');
    const config = ts.getParsedCommandLineOfConfigFile(
      configFile,
      { noEmit: true, types: [] },
      { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => undefined },
    );
    if (!config) throw new Error(`${configFile} cannot be read`);
    const program = ts.createProgram(config.fileNames, config.options);
    this.#checker = program.getTypeChecker();
    this.files = program.getSourceFiles().filter(({ fileName }) => config.fileNames.includes(fileName));
    for (const file of this.files) {
      walk(file, (node) => {
        if (ts.isCallExpression(node) || ts.isNewExpression(node))
          put(this.#calls, lastName(node.expression), node);
        if (ts.isPropertyAssignment(node)) put(this.#members, node.name.getText(), node);
      });
    }
  }

  /** A file's path from the root. */
  pathOf(node: ts.Node): string {
    return relative(this.#root, node.getSourceFile().fileName);
  }

  /**
   * The texts of several expressions of one place that belong together, such as a code and its message. Where they come
   * from the place's callers, each caller is a place of its own.
   */
  readTogether(expressions: readonly ts.Expression[], scope: Scope = new Map(), depth = 0): string[][][] {
    const free = expressions.flatMap((one) => this.#freeText(one, scope));
    const owner = free[0] && functionOf(free[0]);
    const calls = owner && depth < depthMost ? this.#callsOf(owner) : [];
    if (!owner || calls.length === 0) return [expressions.map((one) => this.read(one, scope))];
    return calls.flatMap((call) => {
      const inner = new Map([...scope, ...this.#bind(owner, call, new Map())]);
      return this.readTogether(expressions, inner, depth + 1);
    });
  }

  /** The texts that a function can give back. */
  readResults(made: ts.FunctionDeclaration): string[] {
    return this.#readReturns(made, new Map(), 0);
  }

  /** The texts that an expression can come to. */
  read(expression: ts.Expression, scope: Scope = new Map(), depth = 0): string[] {
    const again = (one: ts.Expression) => this.read(one, scope, depth + 1);
    if (depth > depthMost) return [this.#name(expression)];
    if (ts.isStringLiteralLike(expression)) return [expression.text];
    if (ts.isNumericLiteral(expression)) return [expression.text];
    if (ts.isTemplateExpression(expression)) {
      const { head, templateSpans } = expression;
      return templateSpans.reduce<string[]>(
        (texts, span) => join2(texts, this.#part(span.expression, again(span.expression)), span.literal.text),
        [head.text],
      );
    }
    if (ts.isConditionalExpression(expression))
      return unique([...again(expression.whenTrue), ...again(expression.whenFalse)]);
    if (ts.isBinaryExpression(expression)) return this.#readBinary(expression, again);
    if (
      ts.isParenthesizedExpression(expression) ||
      ts.isAsExpression(expression) ||
      ts.isSatisfiesExpression(expression) ||
      ts.isNonNullExpression(expression) ||
      ts.isAwaitExpression(expression)
    )
      return again(expression.expression);
    if (isNothing(expression)) return [];
    if (ts.isIdentifier(expression)) return this.#readName(expression, scope, depth);
    if (ts.isElementAccessExpression(expression))
      return this.#readTable(expression.expression, depth) ?? [this.#name(expression)];
    if (ts.isPropertyAccessExpression(expression)) return this.#readProperty(expression, depth);
    if (ts.isCallExpression(expression)) return this.#readCall(expression, scope, depth);
    return [this.#name(expression)];
  }

  #readBinary(
    { left, right, operatorToken }: ts.BinaryExpression,
    again: (one: ts.Expression) => string[],
  ): string[] {
    switch (operatorToken.kind) {
      case ts.SyntaxKind.PlusToken:
        return this.#isText(left) || this.#isText(right) ? join2(again(left), again(right)) : ['<number>'];
      case ts.SyntaxKind.QuestionQuestionToken:
      case ts.SyntaxKind.BarBarToken: {
        // A word that stands in for what is always there, as far as the types can tell, is no text of its own.
        const texts = again(left);
        return unique([...texts, ...again(right).filter((text) => texts.length === 0 || text.includes(' '))]);
      }
      case ts.SyntaxKind.AmpersandAmpersandToken:
        return again(right);
      default:
        return ['<number>'];
    }
  }

  /** A part of a text: by its name where it has too many shapes to list. */
  #part(expression: ts.Expression, shapes: string[]): string[] {
    const full = shapes.filter((shape) => shape !== '');
    const text = full.length > shapesMost || full.some(isLong) ? [this.#name(expression)] : full;
    return shapes.includes('') ? text.map((shape) => `[${shape}]`) : text;
  }

  #readName(name: ts.Identifier, scope: Scope, depth: number): string[] {
    const symbol = this.#symbolOf(name);
    const bound = symbol && scope.get(symbol);
    if (bound) return bound.expression ? this.read(bound.expression, bound.scope, depth + 1) : [''];
    const declaration = symbol?.valueDeclaration;
    if (declaration && ts.isVariableDeclaration(declaration)) {
      const { initializer } = declaration;
      const isConst = (ts.getCombinedNodeFlags(declaration) & ts.NodeFlags.Const) !== 0;
      if (initializer && isConst && ts.isNumericLiteral(initializer))
        return [initializer.getText().replaceAll('_', '')];
      if (initializer && isConst && this.#isText(name)) {
        const found = this.read(initializer, scope, depth + 1);
        return found.every(isPlaceholder) ? [this.#name(name)] : found;
      }
    }
    if (declaration && ts.isParameter(declaration) && this.#isText(name)) {
      const owner = functionOf(declaration);
      const index = owner?.parameters.indexOf(declaration) ?? -1;
      const given = (owner ? this.#callsOf(owner) : []).map(({ arguments: args }) => args?.[index]);
      const found = unique(
        given.flatMap((one) =>
          one
            ? this.read(one, new Map(), depth + 1)
            : declaration.initializer
              ? this.read(declaration.initializer, new Map(), depth + 1)
              : [],
        ),
      );
      if (found.length > 0 && !found.some(isPlaceholder)) return found;
    }
    if (declaration && ts.isBindingElement(declaration) && this.#isText(name)) {
      const { initializer, parent, propertyName = declaration.name } = declaration;
      const member = this.#checker.getTypeAtLocation(parent).getProperty(propertyName.getText());
      const found = member ? this.#readField(member, depth) : [];
      if (initializer) found.push(...this.read(initializer, new Map(), depth + 1));
      if (found.length > 0 && found.every(isSentence)) return unique(found);
    }
    return [this.#name(name)];
  }

  /** What the objects of a type are given for one of its members. */
  #readField(member: ts.Symbol, depth: number): string[] {
    const given = (this.#members.get(member.name) ?? []).filter(({ parent }) => {
      const type = this.#checker.getContextualType(parent);
      return type && this.#checker.getNonNullableType(type).getProperty(member.name) === member;
    });
    return given.flatMap(({ initializer }) => this.read(initializer, new Map(), depth + 1));
  }

  #readProperty(expression: ts.PropertyAccessExpression, depth: number): string[] {
    const declaration = this.#symbolOf(expression.name)?.valueDeclaration;
    const isOurs = declaration && this.files.includes(declaration.getSourceFile());
    if (isOurs && this.#isText(expression)) {
      if (ts.isPropertyAssignment(declaration)) return this.#readMember(declaration, depth);
      if (ts.isPropertyDeclaration(declaration)) {
        const found = assignmentsOf(declaration).flatMap((one) => this.read(one, new Map(), depth + 1));
        if (found.length > 0) return unique(found);
      }
      const member = this.#symbolOf(expression.name);
      if (member && ts.isPropertySignature(declaration)) {
        const found = this.#readField(member, depth);
        if (found.length > 0 && found.every(isSentence)) return unique(found);
      }
    }
    return [this.#name(expression)];
  }

  /** The texts that a table has; undefined when it is none. */
  #readTable(expression: ts.Expression, depth: number): string[] | undefined {
    const table = this.#tableOf(expression);
    return table && unique(table.flatMap((one) => this.#readMember(one, depth)));
  }

  /** The texts of what a table has under a name, which may be a function that makes them. */
  #readMember(member: ts.Node, depth: number): string[] {
    if (ts.isPropertyAssignment(member)) {
      const { initializer } = member;
      if (ts.isArrowFunction(initializer)) return this.#readReturns(initializer, new Map(), depth);
      const made = ts.isIdentifier(initializer) ? this.#functionAt(initializer) : undefined;
      if (made) return this.#readReturns(made, new Map(), depth);
      return this.read(initializer, new Map(), depth + 1);
    }
    return ts.isMethodDeclaration(member) ? this.#readReturns(member, new Map(), depth) : [];
  }

  #readCall(call: ts.CallExpression, scope: Scope, depth: number): string[] {
    const callee = call.expression;
    const [first] = call.arguments;
    const called = ts.isPropertyAccessExpression(callee) ? callee.name.text : callee.getText();
    if (called === 'stringify' && first) return this.read(first, scope, depth + 1).map((text) => `"${text}"`);
    if (ts.isElementAccessExpression(callee)) return this.read(callee, scope, depth);
    if (called === 'ownValue' && first) return this.#readTable(first, depth) ?? [this.#name(call)];
    if (/^format|^String$|^hide|^name$/.test(called)) return [this.#name(call)];
    const made = this.#functionAt(callee);
    if (!made) {
      const declaration = this.#symbolOf(callee)?.valueDeclaration;
      if (declaration && ts.isVariableDeclaration(declaration) && declaration.initializer) {
        const { initializer } = declaration;
        if (ts.isElementAccessExpression(initializer)) return this.read(initializer, scope, depth + 1);
      }
      return [this.#name(call)];
    }
    const found = this.#readReturns(made, this.#bind(made, call, scope), depth);
    return found.every(isPlaceholder) ? [this.#name(call)] : found;
  }

  #readReturns(made: ts.SignatureDeclaration & { body?: ts.Node }, scope: Scope, depth: number): string[] {
    return unique(returnsOf(made).flatMap((one) => this.read(one, scope, depth + 1)));
  }

  #bind(made: ts.SignatureDeclaration, call: Call, scope: Scope): Scope {
    const bound = new Map<ts.Symbol, Bound>(scope);
    for (const [index, parameter] of made.parameters.entries()) {
      const symbol = ts.isIdentifier(parameter.name) ? this.#symbolOf(parameter.name) : undefined;
      const given = call.arguments?.[index];
      const expression = given ?? parameter.initializer;
      if (symbol) bound.set(symbol, { expression, scope: given ? scope : new Map() });
    }
    return bound;
  }

  /** The parameters that a text, or a part of it that is chosen, is taken from as it is. */
  #freeText(expression: ts.Expression, scope: Scope): ts.ParameterDeclaration[] {
    if (ts.isIdentifier(expression)) {
      const symbol = this.#symbolOf(expression);
      if (!symbol) return [];
      const bound = scope.get(symbol);
      if (bound) return bound.expression ? this.#freeText(bound.expression, scope) : [];
      const declaration = symbol.valueDeclaration;
      return declaration && ts.isParameter(declaration) ? [declaration] : [];
    }
    if (ts.isConditionalExpression(expression))
      return [expression.whenTrue, expression.whenFalse].flatMap((one) => this.#freeText(one, scope));
    return [];
  }

  #callsOf(owner: ts.SignatureDeclaration): Call[] {
    const named = ts.isConstructorDeclaration(owner)
      ? owner.parent.name
      : ts.isArrowFunction(owner) || ts.isFunctionExpression(owner)
        ? ts.isVariableDeclaration(owner.parent) || ts.isPropertyDeclaration(owner.parent)
          ? owner.parent.name
          : undefined
        : owner.name;
    const symbol = named && this.#symbolOf(named);
    const calls = (named && this.#calls.get(named.getText())) ?? [];
    return calls.filter((call) => this.#symbolOf(lastPart(call.expression)) === symbol);
  }

  /** The function of ours that an expression names. */
  #functionAt(expression: ts.Expression): (ts.SignatureDeclaration & { body?: ts.Node }) | undefined {
    const declaration = this.#symbolOf(expression)?.valueDeclaration;
    if (!declaration || !this.files.includes(declaration.getSourceFile())) return undefined;
    if (ts.isFunctionDeclaration(declaration) || ts.isMethodDeclaration(declaration)) return declaration;
    const { initializer } = declaration as { initializer?: ts.Expression };
    return initializer && ts.isArrowFunction(initializer) ? initializer : undefined;
  }

  #tableOf(expression: ts.Expression): ts.Node[] | undefined {
    const declaration = this.#symbolOf(expression)?.valueDeclaration;
    if (!declaration || !ts.isVariableDeclaration(declaration) || !declaration.initializer) return undefined;
    let { initializer } = declaration;
    while (ts.isAsExpression(initializer) || ts.isSatisfiesExpression(initializer))
      initializer = initializer.expression;
    return ts.isObjectLiteralExpression(initializer) ? [...initializer.properties] : undefined;
  }

  #symbolOf(node: ts.Node): ts.Symbol | undefined {
    const symbol = ts.isShorthandPropertyAssignment(node.parent)
      ? this.#checker.getShorthandAssignmentValueSymbol(node.parent)
      : this.#checker.getSymbolAtLocation(node);
    return symbol && symbol.flags & ts.SymbolFlags.Alias ? this.#checker.getAliasedSymbol(symbol) : symbol;
  }

  #isText(node: ts.Node): boolean {
    const type = this.#checker.getNonNullableType(this.#checker.getTypeAtLocation(node));
    return (
      (type.flags & ts.TypeFlags.StringLike) !== 0 ||
      (type.isUnion() && type.types.every((one) => (one.flags & ts.TypeFlags.StringLike) !== 0))
    );
  }

  /** `<host>` for `host`, `formatHost(host)` and `options.host`. */
  #name(expression: ts.Expression): string {
    return `<${nameOf(expression)}>`;
  }
}

/** What a text is called by, from the name that its value has in the code. */
function nameOf(expression: ts.Expression): string {
  if (ts.isIdentifier(expression)) return wordsOf(expression.text);
  if (ts.isPropertyAccessExpression(expression)) {
    const { text } = expression.name;
    if (text === 'length' || text === 'size') return 'number';
    return text === 'message' ? 'reason' : wordsOf(text);
  }
  if (ts.isElementAccessExpression(expression)) return nameOf(expression.expression);
  if (ts.isCallExpression(expression)) return nameOfCall(expression);
  if (
    ts.isParenthesizedExpression(expression) ||
    ts.isAsExpression(expression) ||
    ts.isNonNullExpression(expression) ||
    ts.isAwaitExpression(expression)
  )
    return nameOf(expression.expression);
  if (ts.isNewExpression(expression)) return argumentName(expression) ?? 'value';
  if (ts.isBinaryExpression(expression)) {
    const { left, operatorToken } = expression;
    const choices = [ts.SyntaxKind.QuestionQuestionToken, ts.SyntaxKind.BarBarToken];
    return choices.includes(operatorToken.kind) ? nameOf(left) : 'number';
  }
  return ts.isStringLiteralLike(expression) ? expression.text : 'value';
}

function nameOfCall(call: ts.CallExpression): string {
  const { expression: callee } = call;
  if (ts.isPropertyAccessExpression(callee)) return nameOf(callee.expression);
  const called = callee.getText();
  if (called === 'formatLimit') return 'time';
  if (called === 'errorCode') return 'code';
  const found = /^find([A-Z]\w+)$/.exec(called)?.[1];
  return found === undefined ? (argumentName(call) ?? wordsOf(called)) : wordsOf(found);
}

function argumentName({ arguments: args }: Call): string | undefined {
  return args?.[0] && nameOf(args[0]);
}

/** `limitMs` is a `limit`, `#sizeBytes` a `size`, `keyPin` a `key pin`. */
function wordsOf(name: string): string {
  return name
    .replace(/^#/, '')
    .replace(/(?:Ms|Bytes|_BYTES)$/, '')
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .replaceAll('_', ' ')
    .toLowerCase();
}

function put<Value>(map: Map<string, Value[]>, name: string, value: Value): void {
  const values = map.get(name);
  if (values) values.push(value);
  else map.set(name, [value]);
}

function lastPart(expression: ts.Expression): ts.Expression {
  return ts.isPropertyAccessExpression(expression) ? expression.name : expression;
}

function lastName(expression: ts.Expression): string {
  const part = lastPart(expression);
  return ts.isIdentifier(part) || ts.isPrivateIdentifier(part) ? part.text : '';
}

function isLong(text: string): boolean {
  return text.length > 250;
}

function isPlaceholder(text: string): boolean {
  return /^(?:<[^<>]*>)?$/.test(text);
}

/** Not a word, which only stands for one that is given. */
function isSentence(text: string): boolean {
  return !isPlaceholder(text) && text.includes(' ');
}

function isNothing(expression: ts.Expression): boolean {
  return (
    (ts.isIdentifier(expression) && expression.text === 'undefined') ||
    expression.kind === ts.SyntaxKind.NullKeyword
  );
}

function join2(...parts: readonly (string | readonly string[])[]): string[] {
  return parts.reduce<string[]>(
    (texts, part) => texts.flatMap((text) => [part].flat().map((one) => text + one)),
    [''],
  );
}

export function unique(texts: readonly string[]): string[] {
  return [...new Set(texts)];
}

export function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}

function functionOf(node: ts.Node): ts.SignatureDeclaration | undefined {
  const owner = ts.isParameter(node) ? node.parent : undefined;
  return owner && ts.isFunctionLike(owner) ? owner : undefined;
}

function returnsOf(made: ts.SignatureDeclaration & { body?: ts.Node }): ts.Expression[] {
  const { body } = made;
  if (!body) return [];
  if (!ts.isBlock(body)) return [body as ts.Expression];
  const found: ts.Expression[] = [];
  const search = (node: ts.Node) => {
    if (ts.isReturnStatement(node) && node.expression) found.push(node.expression);
    if (!ts.isFunctionLike(node)) ts.forEachChild(node, search);
  };
  ts.forEachChild(body, search);
  return found;
}

/** What a class puts into one of its members. */
function assignmentsOf(member: ts.PropertyDeclaration): ts.Expression[] {
  const found = member.initializer ? [member.initializer] : [];
  walk(member.parent, (node) => {
    if (
      ts.isBinaryExpression(node) &&
      node.operatorToken.kind === ts.SyntaxKind.EqualsToken &&
      ts.isPropertyAccessExpression(node.left) &&
      node.left.expression.kind === ts.SyntaxKind.ThisKeyword &&
      node.left.name.text === member.name.getText()
    )
      found.push(node.right);
  });
  return found;
}
