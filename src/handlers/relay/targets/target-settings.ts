/** What is said of one target among several, as `,weight=3,max=10,backup` after its address. */
export interface TargetSettings {
  /** Its share of the clients, compared with those of the others: 1 to 256. Default 1. */
  readonly weight?: number;
  /** How many connections to it there may be at once. Default: any number. */
  readonly max?: number;
  /** It gets clients only while no other target can be used. Default false. */
  readonly backup?: true;
}

/** A target of an upstream as it is now. */
export interface TargetState {
  /** As it is reported. */
  readonly address: string;
  /** New clients may be given to it. */
  readonly isEnabled: boolean;
  /** Whether it passed its checks, or refused no clients; undefined when nothing is known about it. */
  readonly isUp: boolean | undefined;
  /** Connections to it that are open or being made. */
  readonly connections: number;
  /** Its settings among the others. */
  readonly settings: TargetSettings;
}
