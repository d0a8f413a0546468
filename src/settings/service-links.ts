/** What Kubernetes and Docker set to a URL with an address. */
const LINK_URL = /^(?:tcp|udp|sctp):\/\//i;
const SERVICE = /_SERVICE_(?:HOST|PORT(?:_[A-Z0-9_]+)?)$/;
const PORT = /_PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:ADDR|PORT|PROTO|START|PORT_START|PORT_END))?$/;
/** `SLUICE_REDIS_NAME=/web/sluice-redis`: who is linked to, and how it is called there. */
const LINK_NAME = /^\/[^/]+\/[^/]+$/;

/**
 * Whether a variable tells where another service is. Kubernetes sets some for every Service of the namespace, Docker for every
 * container of `--link`; those of a service whose name begins with `sluice` begin with `SLUICE_`. Most have a form of their own.
 * `<NAME>_PORT` and `<NAME>_NAME` could be settings as well, and are told by their values.
 */
export function isServiceLink(name: string, env: NodeJS.ProcessEnv): boolean {
  const value = env[name] ?? '';
  if (SERVICE.test(name) || PORT.test(name)) return true;
  if (name.endsWith('_PORT')) return LINK_URL.test(value);
  if (name.endsWith('_NAME')) return LINK_NAME.test(value);
  // Docker hands on the linked container's whole environment, as <NAME>_ENV_<its name>.
  const at = name.indexOf('_ENV_');
  return at > 0 && LINK_NAME.test(env[`${name.slice(0, at)}_NAME`] ?? '');
}
