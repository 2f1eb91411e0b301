"""Makes the .h5 fixtures beside it, with h5py."""
import os
import numpy as np
import h5py

os.chdir(os.path.dirname(os.path.abspath(__file__)))
ramp = np.arange(12).reshape(3, 4) - 3
kinds = {'f64': 'f8', 'f32': 'f4', 'f16': 'f2', 'i64': 'i8', 'i32': 'i4', 'i16': 'i2', 'i8': 'i1', 'u64': 'u8', 'u32': 'u4', 'u16': 'u2', 'u8': 'u1'}
with h5py.File('types.h5', 'w') as f:
    for name, kind in kinds.items():
        with np.errstate(all='ignore'):
            f[name] = ramp.astype('<' + kind)
            f['big/' + name] = ramp.astype('>' + kind)
    f['bool'] = (np.arange(12) % 3 == 0).reshape(3, 4)
    z = ramp + 1j * np.arange(12).reshape(3, 4)
    f['c64'] = z.astype('c8')
    f['c128'] = z
    f['big/c128'] = z.astype('>c16')
    f.create_dataset('enum', data=np.array([0, 2, 1], 'i2'), dtype=h5py.enum_dtype({'A': 0, 'B': 1, 'C': 2}, 'i2'))
    f['scalar'] = 2.5
    f['empty'] = np.zeros((0, 2), 'f4')
    f['deep/er/one'] = np.arange(3.)
    f['alias'] = h5py.SoftLink('/deep/er/one')
    f['outside'] = h5py.ExternalLink('scalar.h5', '/x')
with h5py.File('scalar.h5', 'w') as f:
    f['x'] = np.float32(1.5)
rng = np.random.default_rng(1)
with h5py.File('chunked.h5', 'w') as f:
    a = (np.arange(40 * 30) % 17).reshape(40, 30)
    f.create_dataset('gzip', data=a.astype('f4'), chunks=(7, 11), compression='gzip', shuffle=True)
    f.create_dataset('big', data=a.astype('>i4'), chunks=(13, 30), compression='gzip', fletcher32=True)
    f.create_dataset('scaleoffset', data=a.astype('i4'), chunks=(10, 10), scaleoffset=0)
    f.create_dataset('growing', data=np.arange(5.), maxshape=(None,), chunks=(2,))
    f.create_dataset('unwritten', shape=(3, 3), dtype='f8', fillvalue=7)
with h5py.File('odd.h5', 'w') as f:
    f['number'] = np.arange(3)
    f['string'] = 'text'
    f['strings'] = np.array([b'ab', b'cd'])
    f['pair'] = np.zeros(2, [('a', 'f4'), ('b', 'i4')])
    f['null'] = h5py.Empty('f4')
    f.create_dataset('ragged', (2,), dtype=h5py.vlen_dtype('i4'))
    f['group/link'] = np.zeros(1)
    f['nine'] = np.zeros((1,) * 9)
with h5py.File('external.h5', 'w') as f:
    f.create_dataset('x', (4,), 'u1', external=[('/etc/hostname', 0, 4)])
with h5py.File('claims.h5', 'w') as f:
    f.create_dataset('huge', (1 << 40,), 'f8', chunks=(1 << 10,))
    f.create_dataset('small', data=np.arange(4.))
