import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkUrl, createGuard } from '../../src/notify/guard.ts'
import type { Lookup } from '../../src/notify/guard.ts'

const strangers = createGuard({ trusted: false, allow: [] })
const operators = createGuard({ trusted: true, allow: [] })
/** As much as a policy can allow. */
const policies = [
  operators,
  createGuard({ trusted: false, allow: ['0.0.0.0/0', '::/0'] }),
  createGuard({ trusted: true, allow: ['0.0.0.0/0', '::/0'] }),
  createGuard({ trusted: false, allow: ['169.254.0.0/16', 'fe80::/10', '64:ff9b::/96'] }),
]

describe('anybody may name an address of the public internet', () => {
  test.each([
    ...['8.8.8.8', '1.1.1.1', '93.184.216.34', '100.63.255.255', '100.128.0.0', '172.15.255.255'],
    ...['172.32.0.0', '192.167.255.255', '192.169.0.0', '198.17.255.255', '198.20.0.0', '11.0.0.1'],
    ...['126.255.255.255', '128.0.0.1', '169.253.255.255', '169.255.0.0', '223.255.255.255'],
    ...['168.63.129.15', '168.63.129.17', '::ffff:8.8.8.8', '::ffff:808:808'],
    ...['2606:4700:4700::1111', '2001:4860:4860::8888', '2a00:1450:4001:81b::200e', '2400:cb00::1'],
  ])('%s', (address) => {
    expect(strangers.refusalOf(address)).toBeNull()
    expect(operators.refusalOf(address)).toBeNull()
  })
})

describe('only the operator may name', () => {
  const ranges: [string, string, string[]][] = [
    // Svix's list
    ['0/8', 'unspecified', ['0.0.0.0', '0.1.2.3', '0.255.255.255']],
    ['10/8', 'private', ['10.0.0.0', '10.1.2.3', '10.255.255.255']],
    ['100.64/10', 'carrier', ['100.64.0.0', '100.64.0.1', '100.127.255.255']],
    ['127/8', 'loopback', ['127.0.0.0', '127.0.0.1', '127.255.255.255']],
    ['172.16/12', 'private', ['172.16.0.0', '172.20.1.1', '172.31.255.255']],
    ['192.0.0/24', 'reserved', ['192.0.0.0', '192.0.0.170', '192.0.0.255']],
    ['192.0.2/24', 'reserved', ['192.0.2.0', '192.0.2.255']],
    ['192.88.99/24', 'reserved', ['192.88.99.0', '192.88.99.1', '192.88.99.255']],
    ['192.168/16', 'private', ['192.168.0.0', '192.168.1.1', '192.168.255.255']],
    ['198.18/15', 'reserved', ['198.18.0.0', '198.19.255.255']],
    ['198.51.100/24', 'reserved', ['198.51.100.0', '198.51.100.255']],
    ['203.0.113/24', 'reserved', ['203.0.113.0', '203.0.113.255']],
    ['224/4', 'multicast', ['224.0.0.0', '239.255.255.255']],
    ['240/4', 'reserved', ['240.0.0.0', '255.255.255.254']],
    ['255.255.255.255', 'broadcast', ['255.255.255.255']],
    ['::', 'unspecified', ['::', '0:0:0:0:0:0:0:0']],
    ['::1', 'loopback', ['::1', '0:0:0:0:0:0:0:1', '0000:0000:0000:0000:0000:0000:0000:0001']],
    ['ff00::/8', 'multicast', ['ff00::', 'ff02::1', 'ffff::1']],
    ['fc00::/7', 'private', ['fc00::', 'fc00::1', 'fd12:3456::1', 'fdff::1']],
    ['2001:db8::/32', 'reserved', ['2001:db8::', '2001:db8:ffff::1']],
    ['3fff::/20', 'reserved', ['3fff::', '3fff:fff:ffff::1']],
    ['100::/64', 'reserved', ['100::', '100::ffff:ffff']],
    ['2002::/16', '6to4', ['2002::', '2002:808:808::1', '2002:7f00:1::', '2002:a00:1::1']],
    [
      '64:ff9b::/96',
      'NAT64',
      ['64:ff9b::', '64:ff9b::8.8.8.8', '64:ff9b::7f00:1', '64:ff9b::a00:1'],
    ],
    ['64:ff9b:1::/48', 'NAT64', ['64:ff9b:1::', '64:ff9b:1::a00:1', '64:ff9b:1:ffff::1']],
    ['5f00::/16', 'reserved', ['5f00::', '5f00:ffff::1']],
    // Those that are missing in it
    ['Teredo', 'Teredo', ['2001::', '2001:0:4136:e378:8000:63bf:3fff:fdd2']],
    ['IPv4-compatible', 'reserved', ['::8.8.8.8', '::7f00:1', '::127.0.0.1', '::10.0.0.1']],
    ['site-local', 'private', ['fec0::1', 'feff::1']],
    ['translated', 'reserved', ['::ffff:0:8.8.8.8', '::ffff:0:127.0.0.1', '::ffff:0:a00:1']],
    ['outside of 2000::/3', 'reserved', ['4000::1', '100:0:0:1::1', '1fff::1', 'a000::1']],
    ['ISATAP', 'ISATAP', ['2606:4700::5efe:8.8.8.8', '2606:4700::200:5efe:10.0.0.1']],
    // Wrapped
    ['mapped', 'loopback', ['::ffff:127.0.0.1', '::ffff:7f00:1', '0:0:0:0:0:ffff:127.0.0.1']],
    ['mapped', 'private', ['::ffff:10.0.0.1', '::FFFF:C0A8:0101']],
  ]

  describe.each(ranges)('%s (%s)', (_, kind, addresses) => {
    test.each(addresses)('%s', (address) => {
      expect(operators.refusalOf(address)).toBeNull()
      expect(strangers.refusalOf(address)).toContain(kind)
      expect(strangers.refusalOf(address)).toContain('delivery.allow')
    })
  })
})

describe('nobody may name', () => {
  const never: [string, string[]][] = [
    ['link-local', ['169.254.0.0', '169.254.1.1', '169.254.170.2', '169.254.255.255']],
    ['link-local', ['fe80::', 'fe80::1', 'fe80::1%eth0', 'febf:ffff::1', '::ffff:169.254.1.1']],
    ['metadata', ['169.254.169.254', '168.63.129.16', '100.100.100.200', '192.0.0.192']],
    ['metadata', ['fd00:ec2::254', 'fd00:0ec2:0:0:0:0:0:254', 'fd00:ec2::23', 'fd20:ce::254']],
    [
      'metadata',
      ['::ffff:169.254.169.254', '::ffff:a9fe:a9fe', '::169.254.169.254', '::a9fe:a9fe'],
    ],
    ['metadata', ['::ffff:0:169.254.169.254', '64:ff9b::169.254.169.254', '64:ff9b::a9fe:a9fe']],
    ['metadata', ['64:ff9b:1::a9fe:a9fe', '64:ff9b:1:a9fe:a9:fe00::', '64:ff9b:1:a9:fe:a9fe::']],
    ['metadata', ['64:ff9b:1:0:a9:fea9:fe00:0', '2002:a9fe:a9fe::1', '2002:a83f:8110::']],
    ['metadata', ['2001:0:a9fe:a9fe::1', '2001:0:808:808:0:0:5601:5601']],
    ['metadata', ['2606:4700::5efe:a9fe:a9fe', '2606:4700::200:5efe:a9fe:a9fe']],
    ['metadata', ['::ffff:168.63.129.16', '64:ff9b::100.100.100.200', '64:ff9b::a83f:8110']],
  ]

  describe.each(never)('a %s address', (kind, addresses) => {
    test.each(addresses)('%s', (address) => {
      for (const guard of [strangers, ...policies]) {
        const refusal = guard.refusalOf(address)
        expect(refusal).toContain(kind)
        expect(refusal).toContain('never allowed')
        expect(refusal).not.toContain('delivery.allow')
      }
    })
  })
})

describe('delivery.allow', () => {
  test('opens what it names and no more', () => {
    const guard = createGuard({ trusted: false, allow: ['10.20.0.0/16', 'fd12::/16', '::1/128'] })
    expect(guard.refusalOf('10.20.0.1')).toBeNull()
    expect(guard.refusalOf('::ffff:10.20.255.255')).toBeNull()
    expect(guard.refusalOf('10.21.0.1')).toContain('10.21.0.1')
    expect(guard.refusalOf('fd12::1')).toBeNull()
    expect(guard.refusalOf('fd13::1')).toContain('fd13::1')
    expect(guard.refusalOf('::1')).toBeNull()
    expect(guard.refusalOf('127.0.0.1')).toContain('127.0.0.1')
    expect(guard.refusalOf('8.8.8.8')).toBeNull()
  })

  test('that opens NAT64 opens what is behind it only where that is open too', () => {
    const nat64 = createGuard({ trusted: false, allow: ['64:ff9b::/96'] })
    expect(nat64.refusalOf('64:ff9b::8.8.8.8')).toBeNull()
    expect(nat64.refusalOf('64:ff9b::10.0.0.1')).toContain('"10.0.0.1/32"')
    const both = createGuard({ trusted: false, allow: ['64:ff9b::/96', '10.0.0.0/8'] })
    expect(both.refusalOf('64:ff9b::10.0.0.1')).toBeNull()
  })

  test('is told to a person with the line to write', () => {
    const refusal = strangers.refusalOf('10.1.2.3')
    expect(refusal).toMatch(/^10\.1\.2\.3 \(private\)/)
    expect(refusal).toContain('add "10.1.2.3/32" to delivery.allow')
    expect(refusal).toContain('delivery: { allow: ["10.1.2.3/32"] }')
    expect(strangers.refusalOf('::ffff:127.0.0.1')).toContain('add "127.0.0.1/32" to')
    expect(strangers.refusalOf('FD12:0:0::5')).toContain('add "fd12::5/128" to')
  })

  test('must be networks', () => {
    expect(() => createGuard({ trusted: false, allow: ['10.0.0.0/33'] })).toThrow()
    expect(() => createGuard({ trusted: false, allow: ['intranet'] })).toThrow()
  })
})

const byte = fc.integer({ min: 0, max: 255 })
const bytes = (length: number) => fc.array(byte, { minLength: length, maxLength: length })
const v4 = fc.tuple(byte, byte, byte, byte)
const hex = (parts: readonly number[]) =>
  Array.from({ length: 8 }, (_, i) =>
    (((parts[2 * i] ?? 0) << 8) | (parts[2 * i + 1] ?? 0)).toString(16),
  ).join(':')
const zeros = (length: number) => new Array<number>(length).fill(0)
const nat64 = [0, 0x64, 0xff, 0x9b]

/** Every way to write an IPv4 address `a` into an IPv6 one; `junk` fills what is free. */
const wrappings: Record<string, (a: number[], junk: number[]) => string> = {
  plain: (a) => a.join('.'),
  mapped: (a) => `::ffff:${a.join('.')}`,
  'mapped in hex': (a) => hex([...zeros(10), 255, 255, ...a]),
  compatible: (a) => `::${a.join('.')}`,
  'compatible in hex': (a) => hex([...zeros(12), ...a]),
  translated: (a) => hex([...zeros(8), 255, 255, 0, 0, ...a]),
  NAT64: (a) => hex([...nat64, ...zeros(8), ...a]),
  'local NAT64, /96': (a, junk) => hex([...nat64, 0, 1, ...junk.slice(0, 6), ...a]),
  'local NAT64, /64': (a, junk) =>
    hex([...nat64, 0, 1, ...junk.slice(0, 2), 0, ...a, ...junk.slice(2, 5)]),
  'local NAT64, /56': ([a = 0, ...rest], junk) =>
    hex([...nat64, 0, 1, junk[0] ?? 0, a, 0, ...rest, ...junk.slice(1, 5)]),
  'local NAT64, /48': ([a = 0, b = 0, ...rest], junk) =>
    hex([...nat64, 0, 1, a, b, 0, ...rest, ...junk.slice(0, 5)]),
  '6to4': (a, junk) => hex([0x20, 2, ...a, ...junk.slice(0, 10)]),
  'Teredo server': (a, junk) => hex([0x20, 1, 0, 0, ...a, ...junk.slice(0, 8)]),
  'Teredo client': (a, junk) =>
    hex([0x20, 1, 0, 0, ...junk.slice(0, 8), ...a.map((item) => item ^ 255)]),
  ISATAP: (a, junk) => hex([...junk.slice(0, 8), 0, 0, 0x5e, 0xfe, ...a]),
  'universal ISATAP': (a, junk) => hex([...junk.slice(0, 8), 2, 0, 0x5e, 0xfe, ...a]),
}

test.each(Object.entries(wrappings))(
  'no policy lets through a link-local address that is %s',
  (_, wrap) => {
    fc.assert(
      fc.property(byte, byte, bytes(12), (c, d, junk) => {
        const address = wrap([169, 254, c, d], junk)
        for (const guard of [strangers, ...policies]) {
          expect(guard.refusalOf(address)).toContain('never allowed')
        }
      }),
    )
  },
)

const anyAddress = fc.oneof(
  v4.map((parts) => parts.join('.')),
  bytes(16).map(hex),
  fc
    .tuple(fc.constantFrom(...Object.values(wrappings)), v4, bytes(12))
    .map(([wrap, address, junk]) => wrap(address, junk)),
  fc.tuple(fc.ipV4(), fc.ipV6()).chain((pair) => fc.constantFrom(...pair)),
)

test('what is printed is what helps', () => {
  fc.assert(
    fc.property(anyAddress, (address) => {
      const refusal = strangers.refusalOf(address)
      if (refusal === null || refusal.includes('never allowed')) return
      // An address may end in "add" itself.
      const lines = /\sadd (.*) to delivery\.allow/.exec(refusal)?.[1]
      const allow = JSON.parse(`[${lines ?? ''}]`) as string[]
      expect(allow).not.toEqual([])
      expect(createGuard({ trusted: false, allow }).refusalOf(address)).toBeNull()
    }),
    { numRuns: 2000 },
  )
})

test('the operator may go wherever anybody may', () => {
  fc.assert(
    fc.property(anyAddress, (address) => {
      if (strangers.refusalOf(address) === null) expect(operators.refusalOf(address)).toBeNull()
    }),
    { numRuns: 2000 },
  )
})

test('what is no address is refused, and nothing throws', () => {
  for (const text of ['', ' ', 'localhost', '127.1', '2130706433', '0x7f.0.0.1', '010.0.0.1']) {
    expect(operators.refusalOf(text)).toContain('no IP address')
  }
  for (const text of ['1.2.3.4.5', '[::1]', '8.8.8.8 ', '8.8.8.8/32', ':::', '::ffff:010.0.0.1']) {
    expect(operators.refusalOf(text)).toContain('no IP address')
  }
  const garbage = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.webAuthority())
  fc.assert(
    fc.property(garbage, (text) => {
      for (const guard of [strangers, ...policies]) guard.refusalOf(text)
    }),
  )
})

describe('a URL that is saved', () => {
  const nowhere: Lookup = () => Promise.reject(new Error('getaddrinfo ENOTFOUND secret'))
  const at =
    (...addresses: string[]): Lookup =>
    () =>
      Promise.resolve(addresses)
  const check = (url: string, lookup = nowhere, guard = strangers) =>
    checkUrl(new URL(url), guard, lookup)

  test.each(['https://hooks.example.com/x', 'http://hooks.example.com:8080/x', 'https://8.8.8.8/'])(
    'may be %s',
    async (url) => {
      expect(await check(url, at('93.184.216.34', '2606:4700::1'))).toBeNull()
    },
  )

  test('may have a name that does not resolve yet', async () => {
    expect(await check('https://later.example.com/')).toBeNull()
    expect(await check('https://later.example.com/', at())).toBeNull()
  })

  // The spellings that request-filtering-agent and smokescreen know.
  test.each([
    ...['http://127.0.0.1/', 'http://127.0.0.1:8080/', 'http://127.1/', 'http://127.0.1/'],
    ...['http://2130706433/', 'http://0x7f000001/', 'http://0x7f.1/', 'http://0x7F.0x0.0x0.0x1/'],
    ...['http://017700000001/', 'http://0177.0.0.1/', 'http://00000177.1/', 'http://127.0.0.1./'],
    ...[
      'http://①②⑦.⓪.⓪.①/',
      'http://１２７.０.０.１/',
      'http://127。0。0。1/',
      'http://127．0．0．1/',
    ],
    ...[
      'http://%31%32%37.0.0.1/',
      'http://127.0.0.1../',
      'http://[::1]/',
      'http://[0:0:0:0:0:0:0:1]/',
    ],
    ...[
      'http://[::ffff:127.0.0.1]/',
      'http://[::ffff:7f00:1]/',
      'http://[0:0:0:0:0:ffff:127.0.0.1]/',
    ],
    ...['http://[::127.0.0.1]/', 'http://0/', 'http://0.0.0.0/', 'http://[::]/', 'http:127.0.0.1'],
    ...['http://localhost/', 'http://localhost./', 'http://LOCALHOST/', 'http://localhost../'],
    ...['http://a.localhost/', 'http://lOc%61lhost:8080/', 'http://ｌｏｃａｌｈｏｓｔ/'],
    ...['http://10.0.0.1/', 'http://012.0.0.1/', 'http://167772161/', 'http://192.168.1.1/'],
    ...['https://[fd12::1]/', 'https://[64:ff9b::10.0.0.1]/', 'https://[2002:7f00:1::]/'],
  ])('may not be %s unless the operator says so', async (url) => {
    expect(await check(url)).toContain('delivery.allow')
    expect(await check(url, nowhere, operators)).toBeNull()
  })

  test.each([
    ...['http://169.254.169.254/latest/meta-data/', 'http://0xa9fea9fe/', 'http://2852039166/'],
    ...[
      'http://0251.0376.0251.0376/',
      'http://[::ffff:169.254.169.254]/',
      'http://169.254.169.254./',
    ],
    ...[
      'http://[fd00:ec2::254]/',
      'http://[fe80::1]/',
      'http://168.63.129.16/',
      'http://169.16689662/',
    ],
  ])('may not be %s whoever says so', async (url) => {
    for (const guard of [strangers, ...policies]) {
      expect(await check(url, nowhere, guard)).toContain('never allowed')
    }
  })

  test.each([
    'ftp://8.8.8.8/',
    'file:///etc/passwd',
    'gopher://8.8.8.8/',
    'data:,x',
    'ws://8.8.8.8/',
  ])('speaks HTTP, so not %s', async (url) => {
    expect(await check(url, nowhere, operators)).toContain('https://')
  })

  test('holds neither user nor password', async () => {
    for (const who of ['secret@', 'user:secret@', ':secret@', '8.8.8.8@', '%73ecret:@']) {
      const refusal = await check(`https://${who}example.com/`, nowhere, operators)
      expect(refusal).toContain('password')
      expect(refusal).not.toContain('secret')
    }
    expect(await check('http://8.8.8.8@127.0.0.1/')).not.toBeNull()
    expect(await check('http://8.8.8.8#@127.0.0.1/')).toBeNull()
    expect(await check('http://8.8.8.8\\@127.0.0.1/')).toBeNull()
  })

  test('is judged by all addresses of its name', async () => {
    const url = 'https://rebind.example.com/'
    expect(await check(url, at('8.8.8.8', '10.0.0.1'))).toContain('"10.0.0.1/32"')
    expect(await check(url, at('8.8.8.8', '::1'))).toContain('rebind.example.com')
    expect(await check(url, at('8.8.8.8', '::ffff:169.254.169.254'))).toContain('never allowed')
    expect(await check(url, at('10.0.0.1'), operators)).toBeNull()
    expect(await check(url, at('169.254.169.254'), operators)).toContain('never allowed')
  })

  test('may be localhost where that is allowed', async () => {
    const guard = createGuard({ trusted: false, allow: ['127.0.0.1/32', '::1/128'] })
    expect(await check('http://localhost:8080/', nowhere, guard)).toBeNull()
    expect(await check('http://localhost:8080/', at('127.0.0.1', '::1'), guard)).toBeNull()
  })

  test('is never quoted beyond its host', async () => {
    const urls = ['http://10.0.0.1/secret?secret#secret', 'ftp://a.b/secret?secret#secret']
    for (const url of [...urls, 'http://secret:secret@a.b/secret', 'http://x.localhost/secret']) {
      const refusal = await check(url)
      expect(refusal).not.toBeNull()
      expect(refusal).not.toContain('secret')
    }
  })
})
