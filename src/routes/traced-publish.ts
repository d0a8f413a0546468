import type { TracedRequest } from '../publish/request-tracer.ts';
import type { PlainHead } from './plain-publish.ts';

/**
 * Describes a publish of the lane for its span.
 * @param remote the address of the client or of the nearest proxy
 * @param trusts whether an address is in SLUICE_TRUSTED_PROXIES
 */
export function tracedPublish(
  { channel, forwardedProto, traceparent, tracestate }: PlainHead,
  remote: string,
  trusts: (address: string) => boolean,
): TracedRequest {
  const proxied = forwardedProto !== undefined && trusts(remote);
  return {
    method: 'POST',
    // The nearest proxy adds its value at the end.
    scheme: (proxied && forwardedProto.split(',').at(-1)?.trim()) || 'http',
    route: channel === undefined ? '/publish' : '/publish/:channel',
    path: channel === undefined ? '/publish' : `/publish/${channel}`,
    traceparent,
    tracestate,
  };
}
