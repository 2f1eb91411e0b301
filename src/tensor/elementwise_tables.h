/* Written by bench/elementwise_tables.py; do not edit. */
#ifndef NIGH_TENSOR_ELEMENTWISE_TABLES_H
#define NIGH_TENSOR_ELEMENTWISE_TABLES_H

/* exp(r) = 1 + r + r^2 q(r), |r| <= log(2) / 2; log((1 + s) / (1 - s)) = 2 s + s^3 R(s^2), |s| <= 1/5; log(2) as two numbers. */
_Alignas(64) static const float exp_q_f32[5] = {0x1.000000p-1f, 0x1.5554dcp-3f, 0x1.555518p-5f, 0x1.120c62p-7f, 0x1.6d11fep-10f};
_Alignas(64) static const double exp_q_f64[11] = {0x1.000000p-1, 0x1.5555555555557p-3, 0x1.5555555555556p-5, 0x1.111111111009cp-7, 0x1.6c16c16c162b0p-10, 0x1.a01a01ac0a9eep-13,
    0x1.a01a01a6ec522p-16, 0x1.71de01c3fc936p-19, 0x1.27e4db25ce3adp-22, 0x1.af4ecd2129492p-26, 0x1.1f7385560be05p-29};
_Alignas(64) static const float log_r_f32[3] = {0x1.555566p-1f, 0x1.99627cp-2f, 0x1.32c296p-2f};
_Alignas(64) static const double log_r_f64[8] = {0x1.5555555555555p-1, 0x1.9999999999f21p-2, 0x1.24924923dd52fp-2, 0x1.c71c72e0c9fdap-3, 0x1.745cabd22e959p-3,
    0x1.3b29e207f2339p-3, 0x1.0e8af7c12a4d4p-3, 0x1.16a6bd487baa7p-3};
_Alignas(64) static const float log_two_f32[2] = {0x1.62e400p-1f, 0x1.7f7d1cp-20f};
_Alignas(64) static const double log_two_f64[2] = {0x1.62e42fefa3000p-1, 0x1.3de6af278ece6p-42};

/* Row 0: middles of pieces; then coefficients of exp(a^2/2) Phi(-a), and of that less a / sqrt(2 pi). */
_Alignas(64) static const float gelu_tail[8][16] = {
    {0x1.400000p+0f, 0x1.c00000p+0f, 0x1.200000p+1f, 0x1.600000p+1f, 0x1.c00000p+1f, 0x1.200000p+2f, 0x1.600000p+2f, 0x1.a00000p+2f,
     0x1.000000p+3f, 0x1.400000p+3f, 0x1.800000p+3f, 0x1.c00000p+3f, 0x1.000000p-3f, 0x1.800000p-2f, 0x1.400000p-1f, 0x1.c00000p-1f},
    {0x1.d898dep-3f, 0x1.7b5abep-3f, 0x1.3aaddep-3f, 0x1.0bb968p-3f, 0x1.b396fap-4f, 0x1.5b5acep-4f, 0x1.201faap-4f, 0x1.eba5fep-5f,
     0x1.926972p-5f, 0x1.43a38ap-5f, 0x1.0e7dcep-5f, 0x1.d087aep-6f, 0x1.d0af2cp-2f, 0x1.84b706p-2f, 0x1.4b1de2p-2f, 0x1.1e7c2ep-2f},
    {-0x1.c49324p-4f, -0x1.3253b8p-4f, -0x1.b405ccp-5f, -0x1.432b1ap-5f, -0x1.b60390p-6f, -0x1.1be2c6p-6f, -0x1.8b1956p-7f, -0x1.21ae92p-7f,
     -0x1.86b84ap-8f, -0x1.fbf2d2p-9f, -0x1.63cfcap-9f, -0x1.06cdbep-9f, -0x1.5e6e6ep-2f, -0x1.06bfb2p-2f, -0x1.93234ep-3f, -0x1.3baf58p-3f},
    {0x1.7b79d2p-5f, 0x1.bd45f6p-6f, 0x1.15aa6cp-6f, 0x1.6c5e3cp-7f, 0x1.a29f08p-8f, 0x1.bfbaf0p-9f, 0x1.07e3eap-9f, 0x1.4ea508p-10f,
     0x1.7625dcp-11f, 0x1.8af240p-12f, 0x1.d0fb64p-13f, 0x1.27e806p-13f, 0x1.a4e15ep-3f, 0x1.222f24p-3f, 0x1.9a45b2p-4f, 0x1.28beeep-4f},
    {-0x1.1f3178p-6f, -0x1.296134p-7f, -0x1.49b98cp-8f, -0x1.838b3ep-9f, -0x1.7e77e4p-10f, -0x1.55b728p-11f, -0x1.57fcc4p-12f, -0x1.7b5de8p-13f,
     -0x1.617b36p-14f, -0x1.305000p-15f, -0x1.2ddcdap-16f, -0x1.4b9198p-17f, -0x1.b02a84p-4f, -0x1.15c8d2p-4f, -0x1.6e91b0p-5f, -0x1.ef9f20p-6f},
    {0x1.8fefdcp-8f, 0x1.721cf8p-9f, 0x1.70c400p-10f, 0x1.87b622p-11f, 0x1.4facbep-12f, 0x1.fa34eap-14f, 0x1.b64098p-15f, 0x1.a67230p-16f,
     0x1.49bf82p-17f, 0x1.d0e556p-19f, 0x1.857a76p-20f, 0x1.71c622p-21f, 0x1.89de44p-5f, 0x1.dc3272p-6f, 0x1.27b7dap-6f, 0x1.78a7dcp-7f},
    {-0x1.0612bap-9f, -0x1.b4f7fcp-11f, -0x1.89fdb4p-12f, -0x1.7c880cp-13f, -0x1.212694p-14f, -0x1.718024p-16f, -0x1.13f976p-17f, -0x1.d21984p-19f,
     -0x1.36c642p-20f, -0x1.658d70p-22f, -0x1.f8fc9ep-24f, -0x1.9de3aap-25f, -0x1.4741b2p-6f, -0x1.7649dap-7f, -0x1.b7ffd0p-8f, -0x1.09680ep-8f},
    {0x1.3fc084p-11f, 0x1.e4d24cp-13f, 0x1.8ed536p-14f, 0x1.60bb66p-15f, 0x1.d8b780p-17f, 0x1.0331dap-18f, 0x1.510582p-20f, 0x1.f5e2e8p-22f,
     0x1.1ac86ap-23f, 0x1.0c78cep-25f, 0x1.41c0bcp-27f, 0x1.c943b2p-29f, 0x1.f39e78p-8f, 0x1.0fa57ep-8f, 0x1.2fbb8cp-9f, 0x1.5cafc2p-10f},
};
_Alignas(64) static const float gelu_bend[7][16] = {
    {0x1.400000p+0f, 0x1.c00000p+0f, 0x1.200000p+1f, 0x1.600000p+1f, 0x1.c00000p+1f, 0x1.200000p+2f, 0x1.600000p+2f, 0x1.a00000p+2f,
     0x1.000000p+3f, 0x1.400000p+3f, 0x1.800000p+3f, 0x1.c00000p+3f, 0x1.000000p-3f, 0x1.800000p-2f, 0x1.400000p-1f, 0x1.c00000p-1f},
    {-0x1.1258f8p-2f, -0x1.069d1ap-1f, -0x1.7ce966p-1f, -0x1.eec798p-1f, -0x1.4a3a5ap+0f, -0x1.b5df30p+0f, -0x1.0fd9fcp+1f, -0x1.443cecp+1f,
     -0x1.923aaep+1f, -0x1.f996dap+1f, -0x1.304642p+2f, -0x1.63a342p+2f, 0x1.9d9ea2p-2f, 0x1.d70acep-3f, 0x1.2f2cb4p-4f, -0x1.1bde6ep-4f},
    {-0x1.04d48ep-1f, -0x1.e51940p-2f, -0x1.cf050cp-2f, -0x1.c0e9b6p-2f, -0x1.b3e48cp-2f, -0x1.aa4280p-2f, -0x1.a4dd1ep-2f, -0x1.a191c8p-2f,
     -0x1.9e9f34p-2f, -0x1.9c7c38p-2f, -0x1.9b4bf2p-2f, -0x1.9a91eep-2f, -0x1.7b7960p-1f, -0x1.4fa202p-1f, -0x1.310afcp-1f, -0x1.1b2e00p-1f},
    {0x1.7b7704p-5f, 0x1.bd43d4p-6f, 0x1.15a98cp-6f, 0x1.6c5d76p-7f, 0x1.a296bcp-8f, 0x1.bfb662p-9f, 0x1.07e26ep-9f, 0x1.4ea3eep-10f,
     0x1.761bf0p-11f, 0x1.8aed8ap-12f, 0x1.d0f890p-13f, 0x1.27e704p-13f, 0x1.a4e0d2p-3f, 0x1.222ed8p-3f, 0x1.9a455cp-4f, 0x1.28bebcp-4f},
    {-0x1.1f325ep-6f, -0x1.2961d4p-7f, -0x1.49ba04p-8f, -0x1.838ba2p-9f, -0x1.7e7b90p-10f, -0x1.55b8e4p-11f, -0x1.57fdc0p-12f, -0x1.7b5e8ep-13f,
     -0x1.618030p-14f, -0x1.3051f4p-15f, -0x1.2dddd8p-16f, -0x1.4b9234p-17f, -0x1.b02abcp-4f, -0x1.15c8f0p-4f, -0x1.6e91d0p-5f, -0x1.ef9f42p-6f},
    {0x1.93aeecp-8f, 0x1.74f412p-9f, 0x1.731a2ap-10f, 0x1.89c72ap-11f, 0x1.553654p-12f, 0x1.0023d0p-13f, 0x1.ba336cp-15f, 0x1.a962e0p-16f,
     0x1.505f50p-17f, 0x1.d72f96p-19f, 0x1.893f78p-20f, 0x1.7473e4p-21f, 0x1.8b54f2p-5f, 0x1.ddc9e4p-6f, 0x1.289ba4p-6f, 0x1.79ad5cp-7f},
    {-0x1.05b62cp-9f, -0x1.b4779ep-11f, -0x1.899cd8p-12f, -0x1.7c393ap-13f, -0x1.206acep-14f, -0x1.70ce60p-16f, -0x1.139466p-17f, -0x1.d1945cp-19f,
     -0x1.35c720p-20f, -0x1.64c510p-22f, -0x1.f83086p-24f, -0x1.9d65ccp-25f, -0x1.471530p-6f, -0x1.761baep-7f, -0x1.b7ce88p-8f, -0x1.094d0cp-8f},
};
#endif
