import { stagesAt } from './run.ts'
import type { Moment, Run, StageNow } from './run.ts'
import { serviceDocument } from './service.ts'

/** The oldest form of the document: no messages, no name, no progress, and a long result. */
export function serviceEdit(service: string): Run {
  const [, name = service, type = 'MapServer'] = /([^/]+)\.([^.]+)$/.exec(service) ?? []
  return {
    path: ['services', ...service.split('/'), 'edit'],
    name: 'editService',
    resource: service,
    moments: [
      { afterMs: 0, status: 'EXECUTING' },
      {
        afterMs: 13_000,
        status: 'COMPLETED',
        result: { service: serviceDocument(name, type) },
      },
    ],
  }
}

const registryStages = [
  'validating',
  'relational_store',
  'object_store',
  'spatio_temporal_index_store',
  'queue_store',
  'in_memory_store',
  'key_framework_components',
  'gis_services_and_other_components',
]

/** All stages are listed from the start and end one after another. */
export function registryEdit(registryId: string): Run {
  const running = registryStages.map((_, reached) => ({
    afterMs: 1000 + 2000 * reached,
    status: 'EXECUTING',
    messages: [],
    stages: stagesAt(registryStages, reached, 'in progress'),
  }))
  return {
    path: ['system', 'containerregistries', registryId, 'edit'],
    name: 'editContainerRegistry',
    resource: `default (id: ${registryId})`,
    moments: [
      { afterMs: 0, status: 'SUBMITTED' },
      ...running,
      {
        afterMs: 17_000,
        status: 'COMPLETED',
        messages: [],
        stages: stagesAt(registryStages, registryStages.length, 'completed'),
        result: { credentialUpdateOnly: true },
      },
    ],
  }
}

function backupOf(store: string, moments: readonly Moment[]): Run {
  return {
    path: ['system', 'disasterrecovery', 'stores', store, 'backups', 'create'],
    name: 'createBackup',
    resource: `nightly (store: ${store})`,
    moments,
  }
}

const backupStages = [
  'Validation',
  'Relational store',
  'Object store',
  'System configuration',
  'Cleanup',
]
const copying = 'Copying 48 buckets of the object store.'
const copied = [copying, 'Copied 48 buckets of the object store.']
const denied = [copying, 'Bucket hosted-tiles: the backup store answered 403 Forbidden.']

const backupStart: readonly Moment[] = [
  { afterMs: 0, status: 'SUBMITTED' },
  backupMoment(2000, [], stagesAt(backupStages, 0, 'in progress')),
  backupMoment(6000, [], stagesAt(backupStages, 1, 'in progress')),
  backupMoment(14_000, [copying], stagesAt(backupStages, 2, 'in progress')),
]

function backupMoment(
  afterMs: number,
  messages: readonly string[],
  stages: readonly StageNow[],
): Moment {
  return { afterMs, status: 'EXECUTING', messages, stages }
}

/** A backup of a little over a minute; its messages grow. */
export function backup(store: string): Run {
  return backupOf(store, [
    ...backupStart,
    backupMoment(58_000, copied, stagesAt(backupStages, 3, 'in progress')),
    backupMoment(66_000, copied, stagesAt(backupStages, 4, 'in progress')),
    {
      ...backupMoment(70_000, copied, stagesAt(backupStages, 5, 'completed')),
      status: 'COMPLETED',
      result: { status: 'success', backupName: 'nightly' },
    },
  ])
}

/** A backup whose third stage fails; the reason is in the result and what led to it in the messages. */
export function failingBackup(store: string): Run {
  return backupOf(store, [
    ...backupStart,
    backupMoment(40_000, denied, stagesAt(backupStages, 2, 'failed')),
    {
      ...backupMoment(
        42_000,
        [...denied, 'The backup was abandoned.'],
        stagesAt(backupStages, 2, 'failed', 'not started'),
      ),
      status: 'FAILED',
      result: {
        status: 'error',
        code: 500,
        messages: ['Failed to back up the object store: the backup store denies writing.'],
      },
    },
  ])
}

const configStages = [
  'validating',
  'set_read_only',
  'update_primary',
  'update_standby',
  'set_read_write',
]

/** Cancelled while the primary is updated: what was done is rolled back, the rest never starts. */
export function configEdit(dataId: string): Run {
  const moment = (afterMs: number, status: string, states: readonly string[]): Moment => ({
    afterMs,
    status,
    messages: status === 'EXECUTING' ? [] : ['Cancelled by an administrator.'],
    stages: configStages.map((name, index) => ({ name, state: states[index] ?? 'pending' })),
  })
  const undone = ['completed', 'rolled back', 'rolled back', 'cancelled', 'cancelled']
  return {
    path: ['data', dataId, 'config', 'edit'],
    name: 'editDataStoreConfig',
    resource: 'relational store',
    moments: [
      { afterMs: 0, status: 'SUBMITTED' },
      moment(2000, 'EXECUTING', ['in progress']),
      moment(6000, 'EXECUTING', ['completed', 'in progress']),
      moment(12_000, 'EXECUTING', ['completed', 'completed', 'in progress']),
      moment(30_000, 'CANCELLING', ['completed', 'completed', 'rolling back']),
      moment(38_000, 'CANCELLING', ['completed', 'rolling back', 'rolled back']),
      moment(44_000, 'CANCELLING', undone),
      {
        ...moment(46_000, 'CANCELLED', undone),
        result: {
          status: 'error',
          messages: ['The operation was cancelled and rolled back.'],
        },
      },
    ],
  }
}

/** Two hours of restarts. Stages appear as they are reached, so that the list begins short. */
export function refreshServices(): Run {
  const moments: Moment[] = [{ afterMs: 0, status: 'SUBMITTED' }]
  let done: readonly StageNow[] = []
  let afterMs = 2000
  for (let number = 1; number <= 150; number += 1) {
    const name = `System/AutoDeployed_${String(number).padStart(3, '0')}`
    for (const state of ['in progress', 'completed']) {
      const stages = [...done, { name, state }]
      moments.push({ afterMs, status: 'EXECUTING', messages: [], stages })
      if (state === 'completed') done = stages
      afterMs += state === 'completed' ? 20_000 : 30_000
    }
  }
  return {
    path: ['services', 'refreshAutodeployedServices'],
    name: 'refreshAutodeployedServices',
    resource: 'auto-deployed services',
    moments: [...moments, { afterMs, status: 'COMPLETED', messages: [], stages: done }],
  }
}

/** The newer form of the document, but of an operation without stages. */
export function serviceStart(service: string): Run {
  return {
    path: ['services', ...service.split('/'), 'start'],
    name: 'startService',
    resource: service,
    moments: [
      { afterMs: 0, status: 'SUBMITTED', messages: [] },
      { afterMs: 1000, status: 'EXECUTING', messages: [] },
      { afterMs: 9000, status: 'COMPLETED', messages: [], result: { status: 'success' } },
    ],
  }
}

/** Text that breaks a page, a chat or a terminal which does not escape it. */
export function unicodeEdit(service: string): Run {
  const stages = ['検証', 'Проверка хранилища', '<b>&amp;"stage" | *bold* `x`</b>']
  const running = stages.map((_, reached) => ({
    afterMs: 6000 * reached,
    status: 'EXECUTING',
    messages: reached === 0 ? [] : ['<!channel> @here is no mention'],
    stages: stagesAt(stages, reached, 'in progress'),
  }))
  return {
    path: ['services', service, 'edit'],
    name: '地図の更新 <b>&amp;</b> \u202Efdp.exe',
    resource: `${service} <img src=x onerror=alert(1)>`,
    moments: [
      ...running,
      {
        afterMs: 18_000,
        status: 'COMPLETED',
        messages: [],
        stages: stagesAt(stages, stages.length, 'completed'),
        result: { status: 'success' },
      },
    ],
  }
}
