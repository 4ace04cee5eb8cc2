/** A class that, like node:net's constructors, can be called without `new` and inherited from with util.inherits(). */
export type Callable<C extends abstract new (...args: never[]) => object> = C &
  ((...args: ConstructorParameters<C>) => InstanceType<C>);

type AnyClass = new (...args: never[]) => object;

/**
 * Wraps a class in a function with the class's prototype.
 *
 * @param initialise does to an existing object what the constructor does, for `Constructor.call(object, …)`.
 * @param Base `instanceof` the wrapper answers as for this class: programs ask for it about sockets that node:tls or
 *   node:http have made. Subclasses of the wrapper answer for themselves.
 */
export function makeCallable<C extends AnyClass>(
  Class: C,
  Base: AnyClass,
  name: string,
  initialise: (object: InstanceType<C>, ...args: ConstructorParameters<C>) => void,
): Callable<C> {
  const prototype = Class.prototype as object;
  const Plain = Class as unknown as new (...args: unknown[]) => object;
  function construct(this: unknown, ...args: ConstructorParameters<C>): object {
    const target = new.target as unknown as AnyClass | undefined;
    if (target) return Reflect.construct<unknown[], object>(Plain, args, target);
    if (!Object.prototype.isPrototypeOf.call(prototype, this as object)) return new Class(...args);
    initialise(this as InstanceType<C>, ...args);
    return this as object;
  }
  Object.setPrototypeOf(construct, Object.getPrototypeOf(Base) as object);
  Object.defineProperties(construct, {
    name: { value: name },
    length: { value: Base.length },
    prototype: { value: prototype },
    [Symbol.hasInstance]: {
      value(this: unknown, value: unknown): boolean {
        if (this === construct) return value instanceof Base;
        return Function.prototype[Symbol.hasInstance].call(this as () => void, value);
      },
    },
  });
  showMethods(prototype, Base.prototype as object);
  Object.defineProperty(prototype, 'constructor', { value: construct, writable: true, configurable: true });
  return construct as unknown as Callable<C>;
}

/** node:net's methods are enumerable, a class's are not: overriding must not hide one from a for-in loop. */
function showMethods(prototype: object, base: object): void {
  const shown = new Set<string>();
  for (const name in base) shown.add(name);
  for (let layer = prototype; layer !== base; layer = Object.getPrototypeOf(layer) as object) {
    for (const name of Object.getOwnPropertyNames(layer)) {
      if (shown.has(name)) Object.defineProperty(layer, name, { enumerable: true });
    }
  }
}
