import { Webhook } from 'standardwebhooks'
import { expect, test } from 'vitest'
import { Secret } from '../../src/core/secret.ts'
import { sign } from '../../src/notify/sign.ts'

// The vectors are those of the Standard Webhooks libraries and of two bodies that their
// JavaScript library agrees on.
const first = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const second = 'whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc='
const id = 'msg_p5jXN8AQM9LWM0D4loKWxJek'
const timestamp = 1614265330
const body = '{"test": 2432232314}'

test.each([
  [first, body, 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='],
  [first, '', 'v1,v48jdbgvh29KJz2Qc+ghw8G6vG3nAKnujWBg8oM/62A='],
  [first, '{"a":"é—😀"}', 'v1,HjCvp9VWN1eI+Wr9hPRWxQrOm1v9c7n7UbhciYAqfnM='],
  [second, body, 'v1,YO/ulmd+VFtlnbodv7yLOOsS6RlBZ48h++gXZrGOpZo='],
])('signs as the reference vectors say: %s %s', (secret, text, expected) => {
  expect(sign({ id, timestamp, body: text }, [new Secret(secret)])).toBe(expected)
})

test('two secrets give two signatures, and a receiver with either accepts', () => {
  const now = Math.floor(Date.now() / 1000)
  const signature = sign({ id, timestamp: now, body }, [new Secret(first), new Secret(second)])
  const headers = {
    'webhook-id': id,
    'webhook-timestamp': String(now),
    'webhook-signature': signature,
  }
  for (const secret of [first, second]) {
    expect(new Webhook(secret).verify(body, headers)).toEqual({ test: 2432232314 })
  }
})
