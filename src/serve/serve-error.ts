/** An address that could not be bound. `cause` is the system's error or a TnetError. */
export class ServeError extends Error {
  readonly subject: string;

  constructor(subject: string, cause: unknown) {
    super(`cannot listen on ${subject}`, { cause });
    this.subject = subject;
  }
}
