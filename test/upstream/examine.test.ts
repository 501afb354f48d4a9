import { describe, expect, test } from 'vitest'
import type { HttpAnswer, RequestError } from '../../src/request.ts'
import { examine } from '../../src/upstream/enterprise-admin/examine.ts'
import type { Access } from '../../src/upstream/enterprise-admin/examine.ts'
import { classifyTokenAnswer } from '../../src/upstream/enterprise-admin/generate-token.ts'
import type { Finding } from '../../src/upstream/upstream.ts'
import { anAnswer, envelopes, gatewayPage, signInPage } from './answers.ts'

const now = Date.parse('2026-01-05T12:00:00.000Z')
const root = 'https://gis.example.com/gis/admin'
const jobid = 'j2bcbcd49-83a4-4cc1-a034-40e4a266e96d'
const job = {
  jobid,
  status: 'COMPLETED',
  requestID: 'e158',
  operationURI: '/gis/admin/services/Hydrants.MapServer/edit',
  username: 'siteadmin',
  starttime: now - 20_000,
  endtime: now - 10_000,
  updatedtime: now - 10_005,
}
const granted = anAnswer({ token: 'the-token', expires: now + 3_600_000, ssl: true })
const unknown = anAnswer({ error: { code: 404, message: 'Job was not found.', details: null } })
const wrongPassword = anAnswer({
  error: {
    code: 400,
    message: 'Unable to generate token.',
    details: ['Invalid username or password.'],
  },
})

/** What the deployment answers to each step; a healthy one unless told otherwise. */
interface Answers {
  readonly token?: HttpAnswer
  readonly jobs?: HttpAnswer
  readonly job?: HttpAnswer
  readonly unknown?: HttpAnswer
}

function deployment(answers: Answers, fields: Partial<Access> = {}) {
  const asked: string[] = []
  const credentials = {
    username: 'siteadmin',
    password: 'pass&word',
    referer: 'jobwatch',
    expirationMs: 3_600_000,
    tokenUrl: 'https://gis.example.com/gis/sharing/rest/generateToken',
  }
  const access: Access = {
    root,
    referer: 'jobwatch',
    userAgent: 'jobwatch/1.2.3',
    now: () => now,
    way: {
      credentials,
      request: () => {
        asked.push('token')
        const answer = answers.token ?? granted
        const given = classifyTokenAnswer(answer, { expirationMs: 3_600_000, now })
        return Promise.resolve({ answer, given })
      },
    },
    get: (path) => {
      asked.push(path)
      const toJob = path === `/jobs/${jobid}` ? (answers.job ?? anAnswer(job)) : undefined
      const toList = path === '/jobs' ? (answers.jobs ?? anAnswer({ jobs: [jobid] })) : undefined
      return Promise.resolve(toList ?? toJob ?? answers.unknown ?? unknown)
    },
    ...fields,
  }
  return { access, asked }
}

async function findingsOf(answers: Answers, fields: Partial<Access> = {}) {
  const { access, asked } = deployment(answers, fields)
  const findings: Finding[] = []
  for await (const finding of examine(access)) findings.push(finding)
  const of = (step: Finding['step']) => {
    const finding = findings.find((one) => one.step === step)
    if (finding === undefined) throw new Error(`nothing was found about ${step}`)
    return finding
  }
  return { asked, of, verdicts: findings.map(({ step, verdict }) => `${step}: ${verdict}`) }
}

function noAnswer(error: RequestError, detail: string): HttpAnswer {
  return { ...anAnswer(''), status: null, error, detail }
}

const fixed = { way: { fixed: 'the-token' } }

describe('a healthy deployment', () => {
  test('works in every step, each asked once, with an id that no job has as the last', async () => {
    const { verdicts, asked } = await findingsOf({})
    expect(verdicts).toEqual(['token: works', 'jobs: works', 'job: works', 'unknown job: works'])
    expect(asked).toEqual([
      'token',
      '/jobs',
      `/jobs/${jobid}`,
      expect.stringMatching(/^\/jobs\/j[0-9a-f-]{36}$/),
    ])
  })

  test('shows what was asked and answered', async () => {
    const { of } = await findingsOf({
      jobs: anAnswer({ jobs: [jobid] }, { headers: { 'content-type': 'application/json' } }),
    })
    expect(of('jobs').exchange).toEqual({
      request:
        'GET https://[host]/gis/admin/jobs?f=json with Authorization: Bearer [token], Referer: jobwatch',
      status: 200,
      contentType: 'application/json',
      body: JSON.stringify({ jobs: [jobid] }, null, 2),
    })
    const { request, body } = of('token').exchange ?? {}
    expect(request).toMatch(/^POST https:\/\/\[host\]\/gis\/sharing\/rest\/generateToken with /)
    expect(request).toContain('client=referer')
    expect(body).toContain('"token": "[hidden]"')
    expect(of('job').exchange?.body).toContain('"[username]"')
  })

  test('with a fixed token is not asked for one, and is told what that means', async () => {
    const { of, verdicts, asked } = await findingsOf({}, fixed)
    expect(verdicts[0]).toBe('token: skipped')
    expect(of('token').says).toMatch(/auth\.token\b.*none is asked for/)
    expect(asked[0]).toBe('/jobs')
    expect(verdicts.slice(1)).toEqual(['jobs: works', 'job: works', 'unknown job: works'])
  })

  test('without any job has none to read, which is no fault', async () => {
    const { of, verdicts } = await findingsOf({ jobs: anAnswer({ jobs: [] }) })
    expect(verdicts).toEqual(['token: works', 'jobs: works', 'job: skipped', 'unknown job: works'])
    expect(of('job').says).toMatch(/no job.*Start one/)
  })
})

describe('the account', () => {
  test('with a wrong password costs one request for a token and nothing else', async () => {
    const { of, verdicts, asked } = await findingsOf({ token: wrongPassword })
    expect(verdicts).toEqual([
      'token: denied',
      'jobs: skipped',
      'job: skipped',
      'unknown job: skipped',
    ])
    expect(asked).toEqual(['token'])
    expect(of('token').says).toMatch(/user name and password.*auth\.username.*auth\.password/)
    expect(of('token').says).toMatch(/one attempt/)
    expect(of('jobs').says).toMatch(/no token/)
  })

  test.each(envelopes)(
    'without the privilege is told which role has it (%s)',
    async (_, envelope) => {
      const denied = anAnswer(envelope(403, 'You do not have permissions to access this resource.'))
      const { of, verdicts } = await findingsOf({ jobs: denied, unknown: denied })
      expect(verdicts).toEqual([
        'token: works',
        'jobs: denied',
        'job: skipped',
        'unknown job: denied',
      ])
      expect(of('jobs').says).toMatch(/Administrator role.*"Security and infrastructure"/)
      expect(of('jobs').says).toContain('You do not have permissions')
      expect(of('unknown job').says).toMatch(/as well.*the list/)
    },
  )

  test('that may list a job but not read it is told so', async () => {
    const denied = anAnswer({ error: { code: 403, message: 'No.' } })
    const { of } = await findingsOf({ job: denied })
    expect(of('job')).toMatchObject({ verdict: 'denied' })
    expect(of('job').says).toMatch(/list.*not read.*role/)
  })

  test.each([
    ['user name and password', {}, /auth\.tokenUrl.*same deployment.*Referer/],
    ['a fixed token', fixed, /auth\.token.*new one/],
  ])('whose token is refused, with %s, is told where to look', async (_, fields, says) => {
    const refused = anAnswer({ error: { code: 498, message: 'Invalid token.', details: [] } })
    const { of, verdicts, asked } = await findingsOf({ jobs: refused }, fields)
    expect(of('jobs')).toMatchObject({ verdict: 'denied' })
    expect(of('jobs').says).toMatch(says)
    expect(verdicts.slice(2)).toEqual(['job: skipped', 'unknown job: skipped'])
    expect(asked.filter((path) => path === 'token').length).toBeLessThan(2)
  })

  test('that gets no token for another reason is told to look at the account', async () => {
    const { of } = await findingsOf({
      token: anAnswer({ error: { code: 403, message: 'Locked.' } }),
    })
    expect(of('token')).toMatchObject({ verdict: 'denied' })
    expect(of('token').says).toMatch(/locked.*https/)
  })
})

describe('a network in which the deployment cannot be reached is told with what to do about', () => {
  test.each<[string, HttpAnswer, RegExp]>([
    [
      'a name',
      noAnswer('dns', 'the name does not resolve (ENOTFOUND)'),
      /ENOTFOUND.*spelling.*DNS/,
    ],
    ['a connection', noAnswer('connect', 'no connection (ECONNREFUSED)'), /ECONNREFUSED.*port/],
    [
      'an answer in time',
      noAnswer('timeout', 'no complete answer within 9 ms'),
      /polling\.timeout/,
    ],
    ['the whole answer', noAnswer('reset', 'the connection broke (ECONNRESET)'), /proxy/],
    ['HTTP', noAnswer('malformed', 'the answer is not HTTP (HPE_INVALID_CONSTANT)'), /https:\/\//],
    [
      'a certificate of a known authority',
      noAnswer('tls', 'not accepted (DEPTH_ZERO_SELF_SIGNED_CERT)'),
      /tls\.ca/,
    ],
    [
      'a certificate that is valid still',
      noAnswer('tls', 'not accepted (CERT_HAS_EXPIRED)'),
      /expired.*[Rr]enew/,
    ],
    [
      'a certificate for this name',
      noAnswer('tls', 'not accepted (ERR_TLS_CERT_ALTNAME_INVALID)'),
      /another host name/,
    ],
    [
      'TLS at all',
      noAnswer('tls', 'not accepted (ERR_SSL_WRONG_VERSION_NUMBER)'),
      /http:\/\/|another port/,
    ],
  ])('%s', async (_, token, says) => {
    const { of, verdicts, asked } = await findingsOf({ token })
    expect(verdicts[0]).toBe('token: fails')
    expect(of('token').says).toMatch(says)
    expect(of('token').exchange).toMatchObject({ status: null, body: '' })
    expect(asked).toEqual(['token'])
  })

  test('an answer that is larger than allowed', async () => {
    const jobs = { ...anAnswer('{"jobs":['), error: 'too_large', detail: 'too long' } as const
    expect((await findingsOf({ jobs })).of('jobs').says).toContain('polling.maxBodyBytes')
  })
})

describe('a root that is not that of the Administrator API', () => {
  const redirect = (location: string) => anAnswer('', { status: 301, headers: { location } })
  test.each<[string, HttpAnswer, RegExp]>([
    ['a page', anAnswer('<html><body>Home</body></html>'), /web page.*root.*CONTEXT\/admin/],
    ['a page that is not there', anAnswer('<html>404</html>', { status: 404 }), /no list.*root/],
    ['HTTP 404', anAnswer({}, { status: 404 }), /no list of jobs.*root.*Kubernetes/],
    ...envelopes.map(([name, envelope]): [string, HttpAnswer, RegExp] => [
      `404 in ${name}`,
      anAnswer(envelope(404, 'Could not find resource.')),
      /no list of jobs.*root/,
    ]),
    ['other JSON', anAnswer({ currentVersion: 11.4 }), /no list of jobs.*root/],
    ['a redirect to https', redirect('https://gis.example.com/gis/admin/jobs'), /https:\/\//],
    [
      'a redirect elsewhere',
      redirect('https://other.test/gis/admin/jobs?state=secret'),
      /https:\/\/\[other-host\]\/gis\/admin\/jobs.*[Ss]et root/,
    ],
    ['a redirect to a sign-in', redirect('https://gis.example.com/login'), /sign-in.*root/],
    ['a sign-in page', anAnswer(signInPage), /sign-in.*root/],
  ])('is told apart by what comes: %s', async (name, jobs, says) => {
    const isHttp = name === 'a redirect to https'
    const { of, verdicts } = await findingsOf(
      { jobs },
      isHttp ? { root: root.replace('https', 'http') } : {},
    )
    expect(of('jobs').verdict).not.toBe('works')
    expect(of('jobs').says).toMatch(says)
    expect(of('jobs').says).not.toMatch(/secret|other\.test|gis\.example/)
    expect(verdicts.slice(2)).toEqual(['job: skipped', 'unknown job: skipped'])
  })

  test.each<[string, HttpAnswer]>([
    ['a page', anAnswer('<html><body>Home</body></html>')],
    ['404', anAnswer({}, { status: 404 })],
    ['a page that is not there', anAnswer('<html>404</html>', { status: 404 })],
  ])('or whose token operation is elsewhere: %s', async (_, token) => {
    const { of } = await findingsOf({ token })
    expect(of('token')).toMatchObject({ verdict: 'fails' })
    expect(of('token').says).toMatch(/auth\.tokenUrl.*sharing\/rest\/generateToken/)
  })
})

describe('a deployment that is away for a while is told from one that is set up wrongly:', () => {
  test.each<[string, HttpAnswer, RegExp]>([
    ['an upgrade', anAnswer({ error: { code: 403, message: 'Upgrade in progress.' } }), /upgrade/],
    ['a gateway', anAnswer(gatewayPage, { status: 502 }), /HTTP 502.*away.*again/],
    ['a limit', anAnswer('', { status: 429 }), /HTTP 429.*polling\.rate/],
    ['a firewall', anAnswer('<html>no</html>', { status: 403 }), /firewall.*jobwatch\/1\.2\.3/],
    [
      'an error of its own',
      anAnswer({ error: { code: 500, message: 'NullPointer', details: null } }),
      /NullPointer.*logs/,
    ],
  ])('%s', async (_, jobs, says) => {
    const { of } = await findingsOf({ jobs })
    expect(of('jobs')).toMatchObject({ verdict: 'fails' })
    expect(of('jobs').says).toMatch(says)
  })
})

describe('a job that is listed', () => {
  test('but not there is told as one that may have gone just now', async () => {
    const { of } = await findingsOf({ job: unknown })
    expect(of('job')).toMatchObject({ verdict: 'fails' })
    expect(of('job').says).toMatch(/listed.*not be read.*again/)
  })

  test('in a form that jobwatch cannot read is told with the wish for a report', async () => {
    const { of } = await findingsOf({ job: anAnswer({ jobid, state: 'RUNNING' }) })
    expect(of('job')).toMatchObject({ verdict: 'fails' })
    expect(of('job').says).toMatch(/no status.*report/)
  })

  test('under an id that cannot stand in an address is not asked for', async () => {
    const { of, asked } = await findingsOf({ jobs: anAnswer({ jobs: ['../services'] }) })
    expect(of('job')).toMatchObject({ verdict: 'fails' })
    expect(of('job').says).toMatch(/id.*report/)
    expect(asked.some((path) => path.includes('services'))).toBe(false)
  })
})

describe('an unknown job', () => {
  test.each<[string, HttpAnswer]>([
    ['an error of another code', anAnswer({ error: { code: 400, message: 'Invalid job.' } })],
    ['an error of the server', anAnswer({ error: { code: 500, message: 'Null.' } })],
    ['nonsense', anAnswer({ jobs: [] })],
    ['a page', anAnswer('<html></html>')],
  ])('that is answered by %s makes jobwatch blind for lost jobs', async (_, answer) => {
    const { of } = await findingsOf({ unknown: answer })
    expect(of('unknown job')).toMatchObject({ verdict: 'fails' })
    expect(of('unknown job').says).toMatch(/job\.lost.*report/)
  })

  test('that is answered as if it were there', async () => {
    const { access } = deployment({})
    const get: Access['get'] = async (path, token) =>
      path === '/jobs' || path === `/jobs/${jobid}`
        ? access.get(path, token)
        : anAnswer({ jobid: path.slice('/jobs/'.length), status: 'COMPLETED' })
    const { of } = await findingsOf({}, { get })
    expect(of('unknown job')).toMatchObject({ verdict: 'fails' })
  })

  test('that is forbidden rather than unknown', async () => {
    const { of } = await findingsOf({ unknown: anAnswer({ error: { code: 403, message: 'No.' } }) })
    expect(of('unknown job')).toMatchObject({ verdict: 'denied' })
    expect(of('unknown job').says).toMatch(/role/)
  })
})

describe('what the deployment shows', () => {
  const factsOf = async (answers: Answers, step: Finding['step']) =>
    (await findingsOf(answers)).of(step).facts.join('\n')

  test('of tokens: their life and the form of `expires`', async () => {
    expect(await factsOf({}, 'token')).toMatch(/`expires`.*number.*60 min/)
    const short = anAnswer({ token: 'x', expires: String(now + 600_000) })
    expect(await factsOf({ token: short }, 'token')).toMatch(/`expires`.*text.*10 min.*60 min/)
    expect(await factsOf({ token: anAnswer({ token: 'x' }) }, 'token')).toMatch(/no `expires`/)
  })

  test('of the list: how many, their form, the shapes of ids', async () => {
    const jobs = anAnswer({ jobs: [jobid, `s${jobid.slice(1)}`, jobid, 'j'.repeat(33), 'x_1'] })
    const facts = await factsOf({ jobs }, 'jobs')
    expect(facts).toMatch(/lists 5/)
    expect(facts).toMatch(/j \+ UUID \(2\).*s \+ UUID \(1\)/)
    expect(facts).toMatch(/another form \(1\)/)
    const objects = anAnswer({ jobs: [{ jobid, status: 'COMPLETED' }], nextStart: -1 })
    expect(await factsOf({ jobs: objects }, 'jobs')).toMatch(/objects with `jobid`, `status`/)
    expect(await factsOf({ jobs: objects }, 'jobs')).toMatch(/`nextStart`/)
  })

  test('of finished jobs: whether they are listed', async () => {
    expect(await factsOf({}, 'job')).toMatch(/`COMPLETED`.*finished jobs are listed/)
    const running = anAnswer({ ...job, status: 'EXECUTING', endtime: 0 })
    expect(await factsOf({ job: running }, 'job')).not.toMatch(/finished jobs are listed/)
    expect(await factsOf({ job: running }, 'job')).toMatch(/`EXECUTING`/)
  })

  test('of the job: who started it, its fields, whether there is a result', async () => {
    const facts = await factsOf({}, 'job')
    expect(facts).toMatch(/this account/)
    expect(facts).toMatch(/`jobid`, `status`, `requestID`, `operationURI`/)
    const foreign = anAnswer({ ...job, username: 'alice', result: {} })
    expect(await factsOf({ job: foreign }, 'job')).toMatch(/another account/)
  })

  test('of stages: where they are and how their states are spelt', async () => {
    const stages = [
      { name: 'validating', state: 'completed' },
      { name: 'object_store', state: 'In Progress' },
      { name: 'queue_store', state: 'frobnicating' },
      { name: 'gis_services', state: 'completed' },
    ]
    const facts = await factsOf({ job: anAnswer({ ...job, progress: { stages } }) }, 'job')
    expect(facts).toMatch(/4 stages.*`progress`.*`completed`, `In Progress`, `frobnicating`/)
    expect(facts).toMatch(/`frobnicating`.*not know/)
    expect(await factsOf({ job: anAnswer({ ...job, result: { stages } }) }, 'job')).toMatch(
      /`result`/,
    )
    expect(await factsOf({}, 'job')).toMatch(/no stages/)
  })

  test.each<[string, unknown, RegExp]>([
    ['none', undefined, /no `messages`/],
    ['an empty list', [], /`messages`.*empty list/],
    ['an empty text', '', /`messages`.*empty text/],
    ['texts', ['Started.', 'Done.'], /`messages`.*2 texts/],
    [
      'objects',
      [{ code: 7, message: 'x', when: 1 }],
      /`messages`.*1 object.*`code`, `message`, `when`/,
    ],
    ['something else', { a: 1 }, /`messages`.*object/],
  ])('of messages: %s', async (_, messages, fact) => {
    expect(await factsOf({ job: anAnswer({ ...job, messages }) }, 'job')).toMatch(fact)
  })

  test.each<[unknown, RegExp]>([
    [1_758_991_490_464, /`updatedtime`.*13 digits/],
    [17_589_149_904_641, /`updatedtime`.*14 digits/],
    ['1758991490', /`updatedtime`.*text.*10 digits/],
    [0, /`updatedtime`.*0/],
    [undefined, /no `updatedtime`/],
  ])('of times: %s', async (updatedtime, fact) => {
    expect(await factsOf({ job: anAnswer({ ...job, updatedtime }) }, 'job')).toMatch(fact)
  })

  test.each<[string, object]>([
    ['without an end', { endtime: 0 }],
    ['with a stage that runs', { progress: { stages: [{ name: 'a', state: 'In Progress' }] } }],
  ])('of COMPLETED: that it can be said %s', async (_, fields) => {
    const facts = await factsOf({ job: anAnswer({ ...job, ...fields }) }, 'job')
    expect(facts).toMatch(/COMPLETED.*too early/)
    expect(await factsOf({}, 'job')).not.toMatch(/too early/)
  })

  test.each<[string, HttpAnswer, RegExp]>([
    ['the error envelope', unknown, /unknown.*HTTP 200.*`error`.*404.*`Job was not found\.`/],
    [
      'the admin envelope',
      anAnswer({ status: 'error', messages: ['No such job.'], code: 404 }),
      /HTTP 200.*`status`.*`messages`.*`code`.*404.*`No such job\.`/,
    ],
    ['HTTP 404', anAnswer('<html>', { status: 404 }), /HTTP 404.*no JSON/],
    ['nothing in it', anAnswer({}), /HTTP 200.*empty object/],
  ])('of unknown jobs: %s', async (_, answer, fact) => {
    expect(await factsOf({ unknown: answer }, 'unknown job')).toMatch(fact)
  })
})

test('nothing that is found shows a secret, a user name or a host', async () => {
  const withoutToken = 'siteadmin pass&word gis.example.com'
  const said = `${withoutToken} the-token`
  const names = { [said]: said, username: 'siteadmin' }
  const answers: Answers[] = [
    { token: anAnswer({ error: { code: 400, message: withoutToken, details: [withoutToken] } }) },
    { jobs: anAnswer({ error: { code: 403, message: said } }) },
    { jobs: anAnswer({ jobs: [said, jobid], ...names }) },
    { job: anAnswer({ ...job, status: said, messages: [names], updatedtime: said, ...names }) },
    { job: anAnswer({ ...job, progress: { stages: [{ name: said, state: said }] } }) },
    { unknown: anAnswer({ status: 'error', code: said, messages: [said] }) },
    { unknown: anAnswer(`<html>${said}`, { headers: { 'content-type': said } }) },
    {
      jobs: anAnswer('', { status: 302, headers: { location: `https://gis.example.com/${said}` } }),
    },
  ]
  for (const answer of answers) {
    const { access } = deployment(answer)
    const all: Finding[] = []
    for await (const finding of examine(access)) all.push(finding)
    expect(JSON.stringify(all)).not.toMatch(/siteadmin|pass&word|the-token|gis\.example/)
  }
})
