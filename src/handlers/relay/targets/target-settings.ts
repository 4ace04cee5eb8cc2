/** What is said of one target among several, as `,weight=3,max=10,backup` after its address. */
export interface TargetSettings {
  /** Its share of the clients, compared with those of the others: 1 to 256. Default 1. */
  readonly weight?: number;
  /** How many connections to it there may be at once. Default: any number. */
  readonly max?: number;
  /** It gets clients only while no other target can be used. Default false. */
  readonly backup?: true;
}
