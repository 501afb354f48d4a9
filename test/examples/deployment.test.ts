import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { parseConfig } from '../../src/config/load.ts'

type Json = Record<string, unknown>

const kubernetes = parseAllDocuments(readFileSync('examples/kubernetes.yaml', 'utf8')).map(
  (document) => document.toJS() as Json,
)
const compose = parse(readFileSync('examples/compose.yaml', 'utf8')) as {
  services: { jobwatch: Json }
}

function ofKind(kind: string): Json {
  const found = kubernetes.find((one) => one['kind'] === kind)
  if (found === undefined) throw new Error(`no ${kind}`)
  return found
}

describe('the manifest for Kubernetes', () => {
  test('runs one daemon and never two, without rights that it does not need', () => {
    expect(ofKind('Deployment')).toMatchObject({
      spec: {
        replicas: 1,
        strategy: { type: 'Recreate' },
        template: {
          spec: {
            enableServiceLinks: false,
            automountServiceAccountToken: false,
            securityContext: { runAsNonRoot: true, runAsUser: 1000 },
            containers: [
              {
                livenessProbe: { httpGet: { path: '/healthz' } },
                readinessProbe: { httpGet: { path: '/readyz' } },
                securityContext: {
                  allowPrivilegeEscalation: false,
                  readOnlyRootFilesystem: true,
                  capabilities: { drop: ['ALL'] },
                },
              },
            ],
          },
        },
      },
    })
    expect(ofKind('PersistentVolumeClaim')).toMatchObject({
      spec: { accessModes: ['ReadWriteOncePod'] },
    })
  })

  test('has a configuration that the daemon takes, and every volume that is mounted', () => {
    const { data } = ofKind('ConfigMap') as { data: Record<string, string> }
    const text = data['jobwatch.yaml'] ?? ''
    // The secrets are files of the cluster.
    const config = parse(text.replaceAll(/\{ file: \S+ \}/g, 'a-secret')) as object
    expect(parseConfig(config, 'the manifest', {})).toMatchObject({
      database: '/data/jobwatch.db',
      listen: { port: 8484 },
    })
    const { spec } = ofKind('Deployment') as {
      spec: { template: { spec: { volumes: Json[]; containers: { volumeMounts: Json[] }[] } } }
    }
    const { volumes, containers } = spec.template.spec
    const names = volumes.map(({ name }) => name)
    expect(containers[0]?.volumeMounts.map(({ name }) => name)).toEqual(names)
  })
})

test('the compose file runs it as nobody in particular, on a port of this machine alone', () => {
  expect(compose.services.jobwatch).toMatchObject({
    user: '1000:1000',
    read_only: true,
    cap_drop: ['ALL'],
    ports: ['127.0.0.1:8484:8484'],
    stop_grace_period: '20s',
  })
})
