export { createStarttls, starttlsProtocols, type StarttlsOptions } from './create-starttls.ts';
export {
  MESSAGE_COUNT_LIMIT,
  MESSAGE_LIMIT_BYTES,
  type StarttlsDialogue,
  type StarttlsProtocol,
  type StarttlsStep,
} from './dialogue.ts';
