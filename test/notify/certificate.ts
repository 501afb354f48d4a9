import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Certificate } from '../upstream/servers.ts'

/** A fresh certificate for a host name that nobody has signed; null where there is no openssl. */
export function certificateFor(name: string): Certificate | null {
  const folder = mkdtempSync(join(tmpdir(), 'jobwatch-certificate-'))
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  try {
    const what = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
    const whose = ['-days', '2', '-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`]
    execFileSync('openssl', ['req', ...what, ...whose, '-keyout', key, '-out', cert], {
      stdio: 'ignore',
    })
    return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') }
  } catch {
    process.stderr.write('openssl made no certificate: the tests of TLS are skipped\n')
    return null
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
