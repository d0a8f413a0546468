/** The form of the URLs that Kubernetes and Docker set. */
const LINK_URL = /^(?:tcp|udp|sctp):\/\//i;
const SERVICE = /_SERVICE_(?:HOST|PORT(?:_[A-Z0-9_]+)?)$/;
const PORT = /_PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:ADDR|PORT|PROTO|START|PORT_START|PORT_END))?$/;
/** Docker's `SLUICE_REDIS_NAME=/web/sluice-redis`: the linking container and the alias of the linked one. */
const LINK_NAME = /^\/[^/]+\/[^/]+$/;

/**
 * Whether a variable is the address of another service. Kubernetes sets such variables for every Service of the namespace, and
 * Docker for every container of `--link`. They begin with `SLUICE_` when the service's name begins with `sluice`. Most are
 * recognised by their names. `<NAME>_PORT` and `<NAME>_NAME` could be settings too, so their values decide.
 */
export function isServiceLink(name: string, env: NodeJS.ProcessEnv): boolean {
  const value = env[name] ?? '';
  if (SERVICE.test(name) || PORT.test(name)) return true;
  if (name.endsWith('_PORT')) return LINK_URL.test(value);
  if (name.endsWith('_NAME')) return LINK_NAME.test(value);
  // Docker passes on the linked container's whole environment, as <NAME>_ENV_<variable>.
  const at = name.indexOf('_ENV_');
  return at > 0 && LINK_NAME.test(env[`${name.slice(0, at)}_NAME`] ?? '');
}
