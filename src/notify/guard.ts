import { lookup as askSystem } from 'node:dns/promises'
import { isIP, isIPv6 } from 'node:net'
import ipaddr from 'ipaddr.js'

/** Decides to which addresses one may connect. */
export interface Guard {
  /** Null when one may; else a sentence for people: why not, and what would allow it. */
  refusalOf(address: string): string | null
}

export interface GuardPolicy {
  /** True for what the operator wrote: any address that is not dangerous by itself. */
  readonly trusted: boolean
  /** `delivery.allow`: the CIDRs outside the public internet that anybody may name. */
  readonly allow: readonly string[]
}

/** All addresses of a name; rejects, or gives none, when it does not resolve. */
export type Lookup = (hostname: string) => Promise<readonly string[]>

export const systemLookup: Lookup = async (hostname) =>
  (await askSystem(hostname, { all: true })).map(({ address }) => address)

/** Throws when `allow` holds something that is no CIDR. */
export function createGuard({ trusted, allow }: GuardPolicy): Guard {
  const allowed = allow.map((cidr) => ipaddr.parseCIDR(cidr))
  const isOpen = (face: Address): boolean =>
    isPublic(face) || allowed.some((range) => isWithin(face, range))
  return {
    refusalOf(text) {
      const address = parse(text)
      if (address === null) return `${JSON.stringify(text.slice(0, 64))} is no IP address`
      const faces = [address, ...embeddedIn(address)]
      for (const face of faces) {
        const kind = neverKindOf(face)
        if (kind !== null) return `${named(face, address)} (${kind}) is never allowed`
      }
      const closed = trusted ? [] : faces.filter((face) => !isOpen(face))
      const [first] = closed
      if (first === undefined) return null
      const lines = closed.map(lineFor).join(', ')
      return (
        `${named(first, address)} (${kindOf(first)}) is not on the public internet: to allow it, ` +
        `add ${lines} to delivery.allow (in YAML: delivery: { allow: [${lines}] })`
      )
    },
  }
}

/** The refusal of the first address that is refused; null when all of them are fine. */
export function refusalOfAny(guard: Guard, addresses: readonly string[]): string | null {
  for (const address of addresses) {
    const refusal = guard.refusalOf(address)
    if (refusal !== null) return refusal
  }
  return null
}

/** The address that a host name of a URL stands for without asking anybody; null: one has to ask. */
export function literalOf(hostname: string): string | null {
  const bare = hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.+$/, '')
  return isIP(bare) === 0 ? null : bare
}

export function isLoopback(address: string): boolean {
  return parse(address)?.range() === 'loopback'
}

/** True for names that mean the very machine, whatever a resolver says (RFC 6761, 6.3). */
export function isLocalhost(hostname: string): boolean {
  return /(^|\.)localhost\.*$/i.test(hostname)
}

/**
 * Why a URL may not be saved; null when it may. Quotes nothing of the URL but its host. Names can
 * lead elsewhere tomorrow: what protects is the check when connecting, this one only tells early.
 */
export async function checkUrl(
  { protocol, username, password, hostname }: URL,
  guard: Guard,
  lookup: Lookup = systemLookup,
): Promise<string | null> {
  if (protocol !== 'https:' && protocol !== 'http:') {
    return 'the URL has to begin with https:// or http://'
  }
  if (username !== '' || password !== '') {
    return 'the URL may hold neither user nor password: send what the receiver asks for as a header'
  }
  return checkHost(hostname, guard, lookup)
}

/** Likewise of a host alone. */
export async function checkHost(
  hostname: string,
  guard: Guard,
  lookup: Lookup = systemLookup,
): Promise<string | null> {
  const literal = literalOf(hostname)
  if (literal !== null) return guard.refusalOf(literal)
  const found = await lookup(hostname).catch(() => [])
  const addresses = found.length === 0 && isLocalhost(hostname) ? ['127.0.0.1'] : found
  const refusal = refusalOfAny(guard, addresses)
  return refusal === null ? null : `${hostname} leads to an address that is refused: ${refusal}`
}

type Address = ipaddr.IPv4 | ipaddr.IPv6
type Range = [Address, number]

const metadata = ['169.254.169.254/32', '168.63.129.16/32', '100.100.100.200/32', '192.0.0.192/32']
const metadataV6 = ['fd00:ec2::/32', 'fd20:ce::254/128']
/** Where clouds hand out credentials to whoever asks, and what only this wire knows. */
const neverRanges: readonly { readonly kind: string; readonly ranges: readonly Range[] }[] = [
  { kind: 'metadata', ranges: [...metadata, ...metadataV6].map(range) },
  { kind: 'link-local', ranges: ['169.254.0.0/16', 'fe80::/10'].map(range) },
]

const globalUnicast = range('2000::/3')

/** Words for the ranges of ipaddr.js; what is missing here is reserved for some purpose. */
const kinds: Readonly<Record<string, string>> = {
  unspecified: 'unspecified',
  loopback: 'loopback',
  private: 'private',
  uniqueLocal: 'private',
  deprecatedSiteLocal: 'private',
  carrierGradeNat: 'carrier-grade NAT',
  multicast: 'multicast',
  broadcast: 'broadcast',
  rfc6052: 'NAT64',
  '6to4': '6to4',
  teredo: 'Teredo',
}

type Bytes = readonly number[]
const at =
  (...places: number[]) =>
  (bytes: Bytes): number[] =>
    places.map((place) => bytes[place] ?? 0)
const lastFour = at(12, 13, 14, 15)

/** IPv6 ranges whose addresses end up at an IPv4 address, and where they hold it. */
const wrappings: readonly [Range, readonly ((bytes: Bytes) => number[])[]][] = [
  // IPv4-compatible (RFC 4291), translated (RFC 2765), NAT64 (RFC 6052)
  [range('::/96'), [lastFour]],
  [range('::ffff:0:0:0/96'), [lastFour]],
  [range('64:ff9b::/96'), [lastFour]],
  // NAT64 of one's own (RFC 8215): the place depends on a length that only the translator knows.
  [range('64:ff9b:1::/48'), [at(6, 7, 9, 10), at(7, 9, 10, 11), at(9, 10, 11, 12), lastFour]],
  // 6to4 (RFC 3056)
  [range('2002::/16'), [at(2, 3, 4, 5)]],
  // Teredo (RFC 4380): the server's, and the client's inverted
  [range('2001::/32'), [at(4, 5, 6, 7), (bytes) => lastFour(bytes).map((byte) => byte ^ 255)]],
]

/** The IPv4 addresses inside an IPv6 one; 0.0.0.0/8 is left out since nothing can be sent there. */
function embeddedIn(address: Address): Address[] {
  if (address.kind() === 'ipv4') return []
  const bytes = address.toByteArray()
  const places = wrappings.flatMap(([outer, items]) => (isWithin(address, outer) ? items : []))
  if (isIsatap(bytes)) places.push(lastFour)
  return places
    .map((place) => new ipaddr.IPv4(place(bytes)))
    .filter(({ octets }) => octets[0] !== 0)
}

/** ISATAP (RFC 5214) is told by its interface identifier, under any prefix. */
function isIsatap(bytes: Bytes): boolean {
  const [first = 0, ...rest] = bytes.slice(8, 12)
  return (first & 0xfd) === 0 && rest.join() === '0,94,254'
}

/** Null when the text is no IP address; an IPv4-mapped one is the IPv4 address that it means. */
function parse(text: string): Address | null {
  const [bare = ''] = text.split('%')
  if (isIP(text) === 0) return null
  // As a URL writes it, since ipaddr.js takes ::1.2.3.4 for ::ffff:1.2.3.4.
  return ipaddr.process(isIPv6(bare) ? new URL(`http://[${bare}]`).hostname.slice(1, -1) : bare)
}

function isPublic(face: Address): boolean {
  if (face.range() !== 'unicast' || isIsatap(face.toByteArray())) return false
  return face.kind() === 'ipv4' || isWithin(face, globalUnicast)
}

function isWithin(face: Address, [network, bits]: Range): boolean {
  return face.kind() === network.kind() && face.match(network, bits)
}

function neverKindOf(face: Address): string | null {
  const row = neverRanges.find(({ ranges }) => ranges.some((item) => isWithin(face, item)))
  return row?.kind ?? null
}

function kindOf(face: Address): string {
  return isIsatap(face.toByteArray()) ? 'ISATAP' : (kinds[face.range()] ?? 'reserved')
}

function named(face: Address, whole: Address): string {
  return face === whole ? face.toString() : `${face.toString()} in ${whole.toString()}`
}

function lineFor(face: Address): string {
  return `"${face.toString()}/${face.kind() === 'ipv4' ? 32 : 128}"`
}

function range(cidr: string): Range {
  return ipaddr.parseCIDR(cidr)
}
